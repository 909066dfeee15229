/**
 * What `kubectl explain` says of the parts of claims, devices and pod groups, in this project's
 * words. One line a type (`group.version.Type`, maybe `<Type` whose fields mean the same, a
 * sentence), one indented line a field. Never: behaviour; read through `descriptions.ts`.
 */
export const deviceDescriptions = `
resource.v1.DeviceClaim Which devices are wanted.
 requests One entry for each use.
 constraints What devices must have in common, or not.
 config What their drivers are told.
resource.v1.DeviceRequest Devices for one use.
 name Its name.
 exactly What is wanted.
 firstAvailable What is wanted, in the order of liking; the first that can be had is given.
resource.v1.ExactDeviceRequest Devices of one class.
 deviceClassName The class.
 selectors What a device must be like; all must fit.
 allocationMode ExactCount or All.
 count How many.
 adminAccess Whether devices in use may be looked at as well; for administrators.
 tolerations Taints of devices that it puts up with.
 capacity How much of a shared device is wanted.
resource.v1.DeviceSubRequest <resource.v1.ExactDeviceRequest One of several ways to be served.
 name Its name.
resource.v1.DeviceSelector What a device must be like.
 cel By an expression.
resource.v1.CELDeviceSelector What a device must be like, by an expression.
 expression The expression, true when it fits.
resource.v1.DeviceConstraint One attribute that devices share, or do not.
 requests The requests it is about; none = all.
 matchAttribute The attribute that is the same for all.
 distinctAttribute The attribute that is another for each.
resource.v1.DeviceToleration <core.v1.Toleration A taint of a device that a request puts up with.
resource.v1.DeviceTaint <core.v1.Taint A mark that keeps claims away from a device.
resource.v1.CapacityRequirements Amounts of what a device shares out.
 requests How much of what.
resource.v1.DeviceClaimConfiguration What drivers are told.
 requests The requests it is about; none = all.
 opaque What one driver is told.
resource.v1.DeviceClassConfiguration What drivers are told.
 opaque What one driver is told.
resource.v1.DeviceAllocationConfiguration What a driver is told about a claim.
 source FromClass or FromClaim.
 requests The requests it is about; none = all.
 opaque What one driver is told.
resource.v1.OpaqueDeviceConfiguration A driver and its parameters.
 driver The driver.
 parameters What, in its own words.
resource.v1.AllocationResult What a claim was given.
 devices The devices.
 nodeSelector Nodes from which they can be used; absent = all.
 allocationTimestamp When.
resource.v1.DeviceAllocationResult The devices that a claim was given.
 results One entry for each device.
 config What their drivers are told.
resource.v1.DeviceRequestAllocationResult A device that a claim was given.
 request The request it serves.
 driver Its driver.
 pool Its pool.
 device Its name.
 adminAccess Whether it is only looked at.
 tolerations Taints of it that the request puts up with.
 bindingConditions Conditions that must be true before the pod is bound.
 bindingFailureConditions Conditions of which none may be true.
 shareID Which share of it.
 consumedCapacity How much of it.
resource.v1.AllocatedDeviceStatus What a driver says of a device in use.
 driver The driver.
 pool Its pool.
 device Its name.
 shareID Which share of it.
 conditions What is true of it.
 data More, in the driver's own words.
 networkData For a network interface, its names and addresses.
resource.v1.NetworkDeviceData A network interface in a pod.
 interfaceName Its name there.
 ips Its addresses.
 hardwareAddress Its hardware address.
resource.v1.ResourceClaimConsumerReference Who may use a claim.
 apiGroup Its group; empty = core.
 resource Its resource, such as pods.
 name Its name.
 uid Its uid.
resource.v1.ResourcePool The pool that devices of a slice belong to.
 name Its name.
 generation Counts its changes; only slices of the latest count.
 resourceSliceCount How many slices it has.
resource.v1.Device A device that can be given to claims.
 name Its name, unique in the pool.
 attributes What it is like, by name.
 capacity How much it has, by name.
 consumesCounters What it takes of the counters that it shares with others.
 nodeName The node that it is on.
 nodeSelector Nodes from which it can be used.
 allNodes Whether it can be used from all.
 taints Marks that keep claims away from it.
 bindsToNode Whether a claim that has it stays on the node.
 bindingConditions Conditions that must be true before a pod is bound.
 bindingFailureConditions Conditions of which none may be true.
 allowMultipleAllocations Whether several claims may share it.
 nodeAllocatableResourceMappings What of the node it stands for.
resource.v1.NodeAllocatableResourceMapping How much of a node's resource a device stands for.
 capacityKey The capacity that is counted; absent = the device.
 allocationMultiplier How much for each.
resource.v1.DeviceAttribute What a device is like in one way; one of these.
 int A number.
 bool Yes or no.
 string A text.
 version A version, as semver has it.
 ints Numbers.
 bools Several of yes and no.
 strings Texts.
 versions Versions.
resource.v1.DeviceCapacity How much a device has of something.
 value How much.
 requestPolicy How much of it a claim may ask for.
resource.v1.CapacityRequestPolicy How much of a shared device a claim may ask for.
 default What a claim gets that asks for nothing.
 validValues What may be asked for; more is rounded up to the next.
 validRange What may be asked for, from and to.
resource.v1.CapacityRequestPolicyRange What may be asked for.
 min The least.
 max The most.
 step What is asked for is rounded up to the next of these.
resource.v1.CounterSet Counters that devices share.
 name Its name.
 counters The counters, by name.
resource.v1.Counter A counter that devices share.
 value How much there is.
resource.v1.DeviceCounterConsumption What a device takes of a set of counters.
 counterSet The set.
 counters How much of each.
scheduling.v1alpha2.PodGroupTemplate A group of pods that a workload has.
 name Its name.
 schedulingPolicy Whether all are placed together.
 schedulingConstraints Where they must be.
 resourceClaims Claims to devices that they share.
 disruptionMode Whether one may be taken away without the others.
 priorityClassName How much it matters, by name.
 priority How much it matters.
scheduling.v1alpha2.PodGroupSchedulingPolicy Whether pods are placed together; one of these.
 basic One by one.
 gang All or none.
scheduling.v1alpha2.BasicSchedulingPolicy Pods are placed one by one.
scheduling.v1alpha2.GangSchedulingPolicy Pods are placed together or not at all.
 minCount How many must be.
scheduling.v1alpha2.PodGroupSchedulingConstraints Where pods of a group must be.
 topology Places that they must share.
scheduling.v1alpha2.TopologyConstraint A place that pods must share.
 key Nodes with the same value of this label are one place.
scheduling.v1alpha2.PodGroupResourceClaim A claim to devices that pods of a group share.
 name Its name in the group.
 resourceClaimName A claim that exists.
 resourceClaimTemplateName A template of which the group gets a claim of its own.
scheduling.v1alpha2.PodGroupResourceClaimStatus The claim that was made for a group.
 name Its name in the group.
 resourceClaimName The claim; absent = none is needed.
scheduling.v1alpha2.PodGroupTemplateReference Where a group comes from.
 workload From a workload.
scheduling.v1alpha2.WorkloadPodGroupTemplateReference A group of a workload.
 workloadName The workload.
 podGroupTemplateName Its group.
scheduling.v1alpha2.TypedLocalObjectReference <core.v1.TypedLocalObjectReference An object of some \
kind in the same namespace.
`;
