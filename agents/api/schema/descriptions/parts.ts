/**
 * What `kubectl explain` says of the parts that many kinds have, and of those of nodes, services,
 * controllers, autoscalers and networks, in this project's words.
 * One line a type (`group.version.Type`, maybe `<Type` whose fields mean the same, a sentence), one
 * indented line a field. Never: behaviour; read through `descriptions.ts`.
 */
export const partDescriptions = `
meta.v1.ObjectMeta What every object has, of whatever kind.
 name Its name, unique among its kind in its namespace.
 generateName What a made-up name begins with, when name is empty.
 namespace The namespace that it is in.
 selfLink Not used any more.
 uid An id that no other object ever had or will have.
 resourceVersion Changes with every write; what a client gives back to notice others' writes.
 generation Counts the changes of what is wanted.
 creationTimestamp When it was made.
 deletionTimestamp When it goes, once somebody has asked for that.
 deletionGracePeriodSeconds How long it may take to go.
 labels What selectors look at.
 annotations Notes that nothing selects by.
 ownerReferences Objects that it goes with.
 finalizers Names that must be gone before it is.
 managedFields Who set which fields.
meta.v1.OwnerReference An object that another goes with.
 apiVersion Its group and version.
 kind Its kind.
 name Its name.
 uid Its uid.
 controller Whether it is the one that controls the object.
 blockOwnerDeletion Whether it waits for the object when it is deleted in the foreground.
meta.v1.ManagedFieldsEntry What one manager set.
 manager The manager's name.
 operation Apply or Update.
 apiVersion The version that the fields are written in.
 time When it last changed.
 fieldsType The form of the fields.
 fieldsV1 The fields.
 subresource The part of the object that was written to.
meta.v1.Condition One thing that can be true of an object.
 type What it is.
 status True, False or Unknown.
 observedGeneration The generation of the object that it was said of.
 lastProbeTime When it was last looked at.
 lastHeartbeatTime When it was last told.
 lastUpdateTime When it was last written.
 lastTransitionTime When the status last changed.
 reason Why, in one word.
 message Why, for people.
meta.v1.LabelSelector Which labels; all of it must fit.
 matchLabels Labels and their values.
 matchExpressions What else labels must be like.
meta.v1.LabelSelectorRequirement What one label must be like.
 key The label.
 operator In, NotIn, Exists or DoesNotExist.
 values What it is compared with.
core.v1.LocalObjectReference An object in the same namespace.
 name Its name.
core.v1.ObjectReference Any object.
 kind Its kind.
 namespace Its namespace.
 name Its name.
 uid Its uid.
 apiVersion Its group and version.
 resourceVersion The state of it that is meant.
 fieldPath The part of it that is meant.
core.v1.SecretReference A Secret of any namespace.
 name Its name.
 namespace Its namespace.
core.v1.TypedLocalObjectReference An object of some kind in the same namespace.
 apiGroup Its group; absent = core.
 kind Its kind.
 name Its name.
core.v1.TypedObjectReference <core.v1.TypedLocalObjectReference An object of some kind.
 namespace Its namespace; absent = the same one.
core.v1.NamespaceCondition <meta.v1.Condition One thing that can be true of a namespace.
core.v1.NodeCondition <meta.v1.Condition One thing that can be true of a node.
core.v1.ReplicationControllerCondition <meta.v1.Condition One thing that can be true of it.
core.v1.NodeAddress An address of a node.
 type InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS.
 address The address.
core.v1.NodeDaemonEndpoints Ports of a node's daemons.
 kubeletEndpoint The kubelet's.
core.v1.DaemonEndpoint A port.
 Port The port.
core.v1.NodeSystemInfo Versions and identifiers of a machine and its software.
 machineID The id that its installation gave it.
 systemUUID The id that its maker gave it.
 bootID Another one at each start.
 kernelVersion The kernel.
 osImage The distribution.
 containerRuntimeVersion The container runtime.
 kubeletVersion The kubelet.
 kubeProxyVersion Not used any more.
 operatingSystem The system, such as linux.
 architecture The processor, such as amd64.
 swap Its swap space.
core.v1.NodeSwapStatus Swap space of a machine.
 capacity How many bytes.
core.v1.NodeConfigSource Settings of a kubelet; not used any more.
 configMap Not used any more.
core.v1.NodeConfigStatus Settings that a kubelet has; not used any more.
 assigned Not used any more.
 active Not used any more.
 lastKnownGood Not used any more.
 error Not used any more.
core.v1.ConfigMapNodeConfigSource A ConfigMap; not used any more.
 namespace Not used any more.
 name Not used any more.
 uid Not used any more.
 resourceVersion Not used any more.
 kubeletConfigKey Not used any more.
core.v1.NodeFeatures What a container runtime can do.
 supplementalGroupsPolicy Whether it knows the policy of supplemental groups.
core.v1.NodeRuntimeHandler A handler of a container runtime.
 name Its name; empty = the default one.
 features What it can do.
core.v1.NodeRuntimeHandlerFeatures What a handler can do.
 recursiveReadOnlyMounts Whether mounts can be read-only all the way down.
 userNamespaces Whether it knows user namespaces.
core.v1.ContainerImage An image that lies on a node.
 names Names that it is known by.
 sizeBytes Its size.
core.v1.Taint A mark that keeps pods away from a node.
 key Its key.
 value Its value.
 effect NoSchedule, PreferNoSchedule or NoExecute.
 timeAdded Since when, for NoExecute.
core.v1.LimitRangeItem Bounds for one type of object.
 type Pod, Container or PersistentVolumeClaim.
 max The most of each resource.
 min The least of each resource.
 default Limits of those that have none.
 defaultRequest Requests of those that have none.
 maxLimitRequestRatio How many times a limit may be its request.
core.v1.ScopeSelector Which objects a quota counts; all of it must fit.
 matchExpressions What they must be like.
core.v1.ScopedResourceSelectorRequirement What a counted object must be like.
 scopeName The scope.
 operator In, NotIn, Exists or DoesNotExist.
 values What it is compared with.
core.v1.ServicePort A port of a service.
 name Its name; needed when there are several.
 protocol TCP, UDP or SCTP.
 appProtocol What is spoken on it.
 port The port of the service.
 targetPort The port of the pods, as a number or by its name.
 nodePort The port of every node that leads here.
core.v1.SessionAffinityConfig How clients stay with their pod.
 clientIP By the client's address.
core.v1.ClientIPConfig Clients stay with their pod by their address.
 timeoutSeconds For how long.
core.v1.LoadBalancerStatus What a load balancer did.
 ingress Where it is reached.
core.v1.LoadBalancerIngress Where a load balancer is reached.
 ip By address.
 hostname By name.
 ipMode Whether traffic goes through it (VIP) or straight to the nodes (Proxy).
 ports What became of each port.
core.v1.PortStatus What became of a port.
 port The port.
 protocol Its protocol.
 error What is wrong with it, in one word.
core.v1.EndpointSubset Addresses and ports that go together.
 addresses Those that are ready.
 notReadyAddresses Those that are not.
 ports The ports.
core.v1.EndpointAddress An address behind a service.
 ip The address.
 hostname Its name.
 nodeName The node that it is on.
 targetRef The pod that has it.
core.v1.EndpointPort A port behind a service.
 name The name that the service gives it.
 port The port.
 protocol TCP, UDP or SCTP.
 appProtocol What is spoken on it.
core.v1.EventSeries How often an event was seen.
 count How often.
 lastObservedTime When it was last seen.
core.v1.EventSource Who saw an event.
 component The component.
 host Its node.
discovery.v1.Endpoint Addresses that behave as one.
 addresses The addresses; all but the first are ignored.
 conditions Whether it is ready.
 hostname Its name.
 targetRef The pod that has it.
 deprecatedTopology Not used any more.
 nodeName The node that it is on.
 zone The zone that it is in.
 hints Who had best use it.
discovery.v1.EndpointConditions Whether an endpoint may be sent traffic.
 ready Whether it may.
 serving Whether it answers, be it on its way out.
 terminating Whether it is on its way out.
discovery.v1.EndpointHints Who had best use an endpoint.
 forZones Zones.
 forNodes Nodes.
discovery.v1.EndpointPort <core.v1.EndpointPort A port of a slice.
discovery.v1.ForNode A node.
 name Its name.
discovery.v1.ForZone A zone.
 name Its name.
events.v1.EventSeries <core.v1.EventSeries How often an event was seen.
apps.v1.DaemonSetCondition <meta.v1.Condition One thing that can be true of it.
apps.v1.DeploymentCondition <meta.v1.Condition One thing that can be true of it.
apps.v1.ReplicaSetCondition <meta.v1.Condition One thing that can be true of it.
apps.v1.StatefulSetCondition <meta.v1.Condition One thing that can be true of it.
apps.v1.DaemonSetUpdateStrategy How pods are replaced.
 type RollingUpdate, or OnDelete.
 rollingUpdate How fast.
apps.v1.DeploymentStrategy One of two ways to replace pods.
 type RollingUpdate, or Recreate.
 rollingUpdate How fast.
apps.v1.StatefulSetUpdateStrategy <apps.v1.DaemonSetUpdateStrategy How pods are replaced.
apps.v1.RollingUpdateDaemonSet How fast pods are replaced.
 maxUnavailable Nodes that may be without a pod meanwhile, a number or a share.
 maxSurge Nodes that may have two meanwhile, a number or a share.
apps.v1.RollingUpdateDeployment How fast pods are replaced.
 maxUnavailable Pods that may be missing meanwhile, a number or a share.
 maxSurge Pods that may be too many meanwhile, a number or a share.
apps.v1.RollingUpdateStatefulSetStrategy How fast pods are replaced.
 partition Pods with a smaller number are left as they are.
 maxUnavailable Pods that may be missing meanwhile, a number or a share.
apps.v1.StatefulSetOrdinals Numbers of pods.
 start The first.
apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy What becomes of claims: Retain or Delete.
 whenDeleted When the set goes.
 whenScaled When their pod goes because there are to be fewer.
batch.v1.JobCondition <meta.v1.Condition One thing that can be true of a job.
batch.v1.JobTemplateSpec The job that is made.
batch.v1.PodFailurePolicy What follows when a pod fails in a certain way.
 rules The first that fits counts.
batch.v1.PodFailurePolicyRule A way to fail and what follows.
 action FailJob, FailIndex, Ignore or Count.
 onExitCodes By exit codes.
 onPodConditions By conditions of the pod.
batch.v1.PodFailurePolicyOnExitCodesRequirement Exit codes.
 containerName The container; absent = any.
 operator In or NotIn.
 values The codes.
batch.v1.PodFailurePolicyOnPodConditionsPattern A condition of a pod.
 type Its type.
 status Its status.
batch.v1.SuccessPolicy When a job has succeeded before all of its pods have.
 rules Any one is enough.
batch.v1.SuccessPolicyRule When a job has succeeded.
 succeededIndexes These have succeeded.
 succeededCount So many have.
batch.v1.UncountedTerminatedPods Pods that have ended and are not counted yet.
 succeeded Uids of those that succeeded.
 failed Uids of those that failed.
autoscaling.v1.CrossVersionObjectReference <autoscaling.v2.CrossVersionObjectReference An object \
of some kind.
autoscaling.v2.CrossVersionObjectReference An object of some kind.
 kind Its kind.
 name Its name.
 apiVersion Its group and version.
autoscaling.v2.HorizontalPodAutoscalerCondition <meta.v1.Condition One thing that can be true of it.
autoscaling.v2.HorizontalPodAutoscalerBehavior Bounds on changes, by their direction.
 scaleUp Growing.
 scaleDown Shrinking.
autoscaling.v2.HPAScalingRules How fast the number of pods may change.
 stabilizationWindowSeconds How far it looks back for a gentler number.
 selectPolicy Whether the largest or the smallest change counts, or none.
 policies How much may change in how much time.
 tolerance How far a metric may be off before anything changes.
autoscaling.v2.HPAScalingPolicy One bound on a change.
 type Pods or Percent.
 value How many.
 periodSeconds In how much time.
autoscaling.v2.MetricSpec One metric and its target.
 type Which of the others is meant.
 object A metric of one object.
 pods A metric of each pod.
 resource cpu or memory of the pods.
 containerResource cpu or memory of one container of each pod.
 external A metric from elsewhere.
autoscaling.v2.MetricStatus <autoscaling.v2.MetricSpec What was measured.
autoscaling.v2.MetricIdentifier A metric.
 name Its name.
 selector Its labels.
autoscaling.v2.MetricTarget What a metric should be.
 type Utilization, Value or AverageValue.
 value So much.
 averageValue So much a pod.
 averageUtilization So many percent of what pods ask for.
autoscaling.v2.MetricValueStatus <autoscaling.v2.MetricTarget What a metric was.
autoscaling.v2.ObjectMetricSource The metric, its object and its target.
 describedObject The object.
 target What it should be.
 metric The metric.
 current What it was.
autoscaling.v2.ObjectMetricStatus <autoscaling.v2.ObjectMetricSource The metric, its object and \
its value.
autoscaling.v2.PodsMetricSource <autoscaling.v2.ObjectMetricSource The metric and its target.
autoscaling.v2.PodsMetricStatus <autoscaling.v2.ObjectMetricSource The metric and its value.
autoscaling.v2.ExternalMetricSource <autoscaling.v2.ObjectMetricSource The metric and its target.
autoscaling.v2.ExternalMetricStatus <autoscaling.v2.ObjectMetricSource The metric and its value.
autoscaling.v2.ResourceMetricSource The resource and its target.
 name cpu or memory.
 target What it should be.
 current What it was.
autoscaling.v2.ResourceMetricStatus <autoscaling.v2.ResourceMetricSource The resource and its value.
autoscaling.v2.ContainerResourceMetricSource <autoscaling.v2.ResourceMetricSource cpu or memory of \
one container.
 container The container.
autoscaling.v2.ContainerResourceMetricStatus <autoscaling.v2.ContainerResourceMetricSource cpu or \
memory of one container.
`;
