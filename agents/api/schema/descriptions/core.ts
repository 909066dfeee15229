/**
 * What `kubectl explain` says of core's kinds and their fields, in this project's own words.
 * One line a type (`group.version.Type` and a sentence), one indented line a field.
 * Never: behaviour; read through `descriptions.ts`. Source: what the fields do here and upstream.
 */
export const coreDescriptions = `
core.v1.ConfigMap Settings that pods read as environment or as files.
 immutable Whether the data may never change again.
 data Values that are text, by key.
 binaryData Values that are bytes, in base64, by key.
core.v1.Endpoints Addresses behind a service, in the old form that endpoint slices replace.
 subsets Addresses that share the same ports.
core.v1.Event A note of something that happened to an object.
 involvedObject The object that it is about.
 reason One word for why it happened.
 message What happened, for people.
 source The component that saw it.
 firstTimestamp When it was first seen.
 lastTimestamp When it was last seen.
 count How often it was seen.
 type Normal, or Warning.
 eventTime When it was first seen, to the microsecond.
 series How often and until when it was seen, for events that repeat.
 action What was done about the object.
 related A second object that has to do with it.
 reportingComponent The controller that wrote the event.
 reportingInstance The instance of that controller.
core.v1.LimitRange Bounds and defaults for what single objects of a namespace may ask for.
core.v1.LimitRangeSpec The bounds.
 limits One entry for each type of object.
core.v1.Namespace A scope for names, rights and quotas.
core.v1.NamespaceSpec What keeps a namespace from going.
 finalizers Names that must be gone before the namespace is.
core.v1.NamespaceStatus How the namespace is doing.
 phase Active, or Terminating.
core.v1.Node A machine that pods run on.
core.v1.NodeSpec What is wanted of a node.
 podCIDR The block that its pods get addresses from.
 podCIDRs The blocks that its pods get addresses from, one for each family.
 providerID How the provider of the machine calls it.
 unschedulable Whether new pods stay away.
 taints Marks that keep pods away unless they tolerate them.
 configSource Not used any more.
 externalID Not used any more.
core.v1.NodeStatus How a node is doing, as its kubelet reports.
 capacity All that the machine has.
 allocatable What of it pods may use.
 phase Not used any more.
 addresses Where the machine is reached.
 daemonEndpoints The port on which the kubelet listens.
 nodeInfo Versions and identifiers of the machine and its software.
 images Images that lie on the node.
 volumesInUse Attachable volumes that pods of the node have mounted.
 volumesAttached Volumes that are attached to the node.
 config Not used any more.
 runtimeHandlers Handlers that the container runtime offers.
 features What the container runtime can do.
 declaredFeatures Abilities of the node that pods may depend on.
core.v1.PersistentVolumeClaim A request for storage by a user.
core.v1.PersistentVolumeClaimSpec What storage is wanted.
 accessModes How many nodes and pods should be able to use it.
 selector Labels of the volumes that will do.
 resources How much it should hold.
 volumeName The volume that the claim is bound to.
 storageClassName The class that the volume should be of.
 volumeMode Whether it is to be a file system or a block device.
 dataSource What the volume should be filled from.
 dataSourceRef What the volume should be filled from, of any kind and namespace.
 volumeAttributesClassName The class of attributes that may change while in use.
core.v1.PersistentVolumeClaimStatus What the claim got.
 phase Pending, Bound or Lost.
 accessModes How many may use the volume that it got.
 capacity How much the volume holds.
 allocatedResources How much is set aside while the volume grows.
 allocatedResourceStatuses How far a change of size has come, by resource.
 currentVolumeAttributesClassName The class of attributes that is in force.
 modifyVolumeStatus How far a change of attributes has come.
core.v1.PersistentVolume A piece of storage in the cluster.
core.v1.PersistentVolumeSpec What the storage is and how it is reached.
 capacity How much it holds.
 gcePersistentDisk A disk of Google's cloud.
 awsElasticBlockStore A disk of Amazon's cloud.
 hostPath A folder or file of a node; for trials on one node.
 glusterfs A volume of GlusterFS.
 nfs A folder of an NFS server.
 rbd A block device of Ceph.
 iscsi A disk that is reached by iSCSI.
 cinder A disk of OpenStack.
 cephfs A folder of CephFS.
 fc A disk that is reached by Fibre Channel.
 flocker A data set of Flocker.
 flexVolume A volume of a driver that is run as a command.
 azureFile A share of Azure Files.
 vsphereVolume A disk of vSphere.
 quobyte A volume of Quobyte.
 azureDisk A disk of Azure.
 photonPersistentDisk A disk of the Photon controller.
 portworxVolume A volume of Portworx.
 scaleIO A volume of ScaleIO.
 local A disk or folder of one node, which nodeAffinity must name.
 storageos A volume of StorageOS.
 csi A volume of a CSI driver.
 accessModes How many nodes and pods may use it.
 claimRef The claim that it is bound to.
 persistentVolumeReclaimPolicy What becomes of it when its claim is gone.
 storageClassName The class that it belongs to.
 mountOptions Options for mounting it.
 volumeMode Whether it is a file system or a block device.
 nodeAffinity The nodes that reach it.
 volumeAttributesClassName The class of attributes that may change while in use.
core.v1.PersistentVolumeStatus Whether the storage is in use.
 phase Pending, Available, Bound, Released or Failed.
 message Why it is in its phase, for people.
 reason Why it is in its phase, in one word.
 lastPhaseTransitionTime When it came into its phase.
core.v1.Pod Containers that run together on one node and share its network address.
core.v1.PodSpec What should run, and where.
 volumes Storage that containers may mount.
 initContainers Containers that run to their end, one by one, before the others start.
 containers The containers; there is at least one.
 ephemeralContainers Containers that were added to look into the running pod.
 restartPolicy When a container that ended is started again.
 terminationGracePeriodSeconds How long the pod may take to stop.
 activeDeadlineSeconds After how long the pod is stopped, counted from its start.
 dnsPolicy Where containers resolve names.
 nodeSelector Labels that the node must have.
 serviceAccountName The account under which the pod acts.
 serviceAccount The older name of serviceAccountName.
 automountServiceAccountToken Whether a token of the account is mounted.
 nodeName The node that the pod is bound to.
 hostNetwork Whether it uses the node's own network.
 hostPID Whether it sees the node's processes.
 hostIPC Whether it shares the node's inter-process communication.
 shareProcessNamespace Whether its containers see each other's processes.
 securityContext Users, groups and profiles for all containers.
 imagePullSecrets Secrets for pulling images.
 hostname The host name within the pod.
 subdomain The domain that the host name stands in.
 affinity Which nodes and pods it should be near to, or far from.
 schedulerName The scheduler that places it.
 tolerations Taints that do not keep it away.
 hostAliases Lines added to the hosts file.
 priorityClassName The class that its priority comes from.
 priority How it ranks among pods that wait or are displaced.
 dnsConfig Settings for resolving names, on top of the policy.
 readinessGates Conditions that must hold besides the containers' readiness.
 runtimeClassName How the container runtime should run it.
 enableServiceLinks Whether services show up in the environment.
 preemptionPolicy Whether it may displace pods of lower priority.
 overhead What running the pod takes besides its containers.
 topologySpreadConstraints How pods like it are spread over zones or nodes.
 setHostnameAsFQDN Whether the host name includes the domain.
 os The operating system of its containers.
 hostUsers Whether its users are the node's own.
 schedulingGates What must be lifted before it is placed.
 resourceClaims Claims to devices that its containers may use.
 resources What the pod as a whole asks for and is limited to.
 hostnameOverride A host name that stands whatever the other fields say.
 schedulingGroup The group of pods that it is placed with.
core.v1.PodStatus How a pod is doing.
 phase Pending, Running, Succeeded, Failed or Unknown.
 message Why it is in its state, for people.
 reason Why it is in its state, in one word.
 nominatedNodeName The node on which room is made for it.
 hostIP The address of its node.
 hostIPs The addresses of its node.
 podIP The first address of the pod.
 podIPs The addresses of the pod, one for each family.
 startTime When the kubelet took it on.
 initContainerStatuses How its init containers are doing.
 containerStatuses How its containers are doing.
 qosClass How safe it is when the node runs out of memory.
 ephemeralContainerStatuses How its ephemeral containers are doing.
 resize How far a change of its resources has come.
 resourceClaimStatuses The claims that were made for it.
 extendedResourceClaimStatus The claim that stands for its extended resources.
 allocatedResources What the node has set aside for the pod as a whole.
 resources What is in force for the pod as a whole.
 nodeAllocatableResourceClaimStatuses What its claims take of the node's own resources.
core.v1.PodTemplate A shape of pods, kept for later.
 template The shape.
core.v1.ReplicationController Keeps a number of equal pods; replica sets replace it.
core.v1.ReplicationControllerSpec Which pods are kept, and how many.
core.v1.ReplicationControllerStatus How many there are.
core.v1.ResourceQuota Bounds for what a namespace may use altogether.
core.v1.ResourceQuotaSpec The bounds.
 hard The most of each resource.
 scopes Which objects count, by what they are.
 scopeSelector Which objects count, by an expression over scopes.
core.v1.ResourceQuotaStatus What is used.
 hard The bounds that are in force.
 used How much of each is used.
core.v1.Secret Values that should not be seen by everybody.
 immutable Whether the data may never change again.
 data The values, in base64, by key.
 stringData Values as plain text, for writing only.
 type What the secret is for; some types ask for certain keys.
core.v1.ServiceAccount A name under which pods act.
 secrets Secrets that its pods may mount.
 imagePullSecrets Secrets for pulling the images of its pods.
 automountServiceAccountToken Whether its pods get a token mounted.
core.v1.Service One address for a set of pods.
core.v1.ServiceSpec How the pods are reached.
 ports The ports that it listens on.
 selector Labels of the pods behind it.
 clusterIP Its first address within the cluster, or None.
 clusterIPs Its addresses within the cluster, one for each family.
 type From where it is reached: ClusterIP, NodePort, LoadBalancer or ExternalName.
 externalIPs Addresses outside for which nodes accept traffic.
 sessionAffinity Whether a client keeps to one pod.
 loadBalancerIP The address that a load balancer should get; not used any more.
 loadBalancerSourceRanges Blocks of clients that the load balancer lets in.
 externalName The host name that it stands for.
 externalTrafficPolicy Whether traffic from outside stays on the node that it reached.
 healthCheckNodePort The port on which nodes tell load balancers that they have pods.
 publishNotReadyAddresses Whether pods count before they are ready.
 sessionAffinityConfig How long a client keeps to one pod.
 ipFamilies The families of its addresses, in order.
 ipFamilyPolicy Whether it has addresses of one family or of both.
 allocateLoadBalancerNodePorts Whether a load balancer gets node ports.
 loadBalancerClass Which load balancers serve it.
 internalTrafficPolicy Whether traffic from inside stays on its node.
 trafficDistribution Which pods are preferred, by where they run.
core.v1.ServiceStatus What a service got.
 loadBalancer Where its load balancer is reached.
`;
