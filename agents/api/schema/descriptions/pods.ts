/**
 * What `kubectl explain` says of the parts of a pod, in this project's words: containers, probes,
 * environment, security, placement, what became of them. Volumes stand in `volumes.ts`.
 * One line a type (`group.version.Type`, maybe `<Type` whose fields mean the same, a sentence), one
 * indented line a field. Never: behaviour; read through `descriptions.ts`.
 */
export const podDescriptions = `
core.v1.PodTemplateSpec The pod that is made.
core.v1.Container One program of a pod and how it is run.
 name Its name, unique in the pod.
 image The image it is made from.
 command What is run instead of the image's entry point.
 args Arguments instead of the image's own.
 workingDir Where it starts; empty = where the image says.
 ports Ports that it listens on; a note for readers and for policies, it opens nothing.
 envFrom Objects whose every key becomes a variable.
 env Variables of its environment.
 resources What it asks for and what it may use at most.
 resizePolicy Whether a change of its resources needs a restart, by resource.
 restartPolicy When it is started again, in place of the pod's rule; Always makes an init \
container a sidecar.
 restartPolicyRules What follows from certain exit codes, before restartPolicy is looked at.
 volumeMounts Volumes in its file system.
 volumeDevices Volumes as raw devices.
 livenessProbe When it fails for too long, the container is started again.
 readinessProbe While it fails, services send no traffic.
 startupProbe Until it succeeds, the other probes wait.
 lifecycle What happens after its start and before its stop.
 terminationMessagePath The file whose text is kept as its last message.
 terminationMessagePolicy Whether the log is used when that file is empty.
 imagePullPolicy When the image is fetched.
 securityContext Rights of its processes, in place of the pod's.
 stdin Whether it has an input that clients may attach to.
 stdinOnce Whether the input is closed after the first client.
 tty Whether it has a terminal.
core.v1.EphemeralContainer <core.v1.Container A container that joins a running pod for a look \
inside; it is never restarted.
 targetContainerName The container whose processes it sees.
core.v1.ContainerPort A port that a container listens on.
 name A name for services to use.
 hostPort The port of the node that leads here; 0 = none.
 containerPort The port in the pod.
 protocol TCP, UDP or SCTP.
 hostIP The node's address that leads here; empty = all of them.
core.v1.EnvFromSource An object whose keys become variables.
 prefix Is put before every key.
 configMapRef The ConfigMap.
 secretRef The Secret.
core.v1.EnvVar A variable of the environment.
 name Its name.
 value Its value; \$(NAME) stands for a variable before it.
 valueFrom Where its value comes from.
core.v1.EnvVarSource Where a variable's value comes from; one of these.
 fieldRef A field of the pod.
 resourceFieldRef What a container asks for or may use.
 configMapKeyRef A key of a ConfigMap.
 secretKeyRef A key of a Secret.
 fileKeyRef A key of a file in a volume.
core.v1.ConfigMapEnvSource <core.v1.ConfigMapKeySelector A ConfigMap whose keys become variables.
core.v1.SecretEnvSource <core.v1.ConfigMapKeySelector A Secret whose keys become variables.
core.v1.ConfigMapKeySelector One key of a ConfigMap.
 name The object's name.
 key The key.
 optional Whether the pod starts without it.
core.v1.SecretKeySelector <core.v1.ConfigMapKeySelector One key of a Secret.
core.v1.FileKeySelector One key of a file of variables.
 volumeName The volume that has the file.
 path The file, relative to the volume.
 key The key.
 optional Whether the pod starts without it.
core.v1.ObjectFieldSelector One field, by its path.
 apiVersion The version that the path is written for.
 fieldPath The path, such as metadata.name.
core.v1.ResourceFieldSelector A resource of a container.
 containerName The container; a variable may leave it out and means its own.
 resource Such as limits.cpu or requests.memory.
 divisor The unit in which it is told.
core.v1.ResourceRequirements What is asked for and what may be used at most.
 limits The most that may be used.
 requests What is set aside; limits stand in for what is left out.
 claims Claims of the pod to devices that it uses.
core.v1.ResourceClaim A claim to devices that a container uses.
 name Its name among the pod's claims.
 request One request of the claim; empty = all of them.
core.v1.ContainerResizePolicy What a change of one resource does to a running container.
 resourceName The resource.
 restartPolicy NotRequired or RestartContainer.
core.v1.ContainerRestartRule What follows when a container exits in a certain way.
 action What is done: Restart or RestartAllContainers.
 exitCodes The codes it is about.
core.v1.ContainerRestartRuleOnExitCodes Exit codes.
 operator In or NotIn.
 values The codes.
core.v1.Probe How a container is asked for its health, and how often.
 exec A command; exit code 0 is success.
 httpGet A request; an answer from 200 to 399 is success.
 tcpSocket A port; a connection is success.
 grpc The health service of gRPC.
 initialDelaySeconds How long after the start the first one comes.
 timeoutSeconds How long an answer may take.
 periodSeconds How long from one to the next.
 successThreshold So many in a row make it healthy again.
 failureThreshold So many in a row make it unhealthy.
 terminationGracePeriodSeconds How long it may take to stop after a failure, in place of the pod's \
time.
core.v1.ExecAction A command in the container.
 command Program and arguments; no shell is put around it.
core.v1.HTTPGetAction A GET request.
 path Its path.
 port The port, as a number or by the name that the container gives it.
 host Who is asked; empty = the pod.
 scheme HTTP or HTTPS.
 httpHeaders Headers to send.
core.v1.HTTPHeader A header of a request.
 name Its name.
 value Its value.
core.v1.TCPSocketAction A connection to a port.
 port The port, as a number or by its name.
 host Who is asked; empty = the pod.
core.v1.GRPCAction A call of the health service.
 port The port.
 service The name that is asked about.
core.v1.SleepAction How long a pause lasts.
 seconds How long.
core.v1.Lifecycle What happens around the life of a container.
 postStart Right after its start; when that fails, it is stopped.
 preStop Before it is asked to stop.
 stopSignal The signal that asks it to stop.
core.v1.LifecycleHandler What is done; one of these.
 exec A command.
 httpGet A request.
 tcpSocket Nothing; it is kept for old objects.
 sleep A pause.
core.v1.VolumeMount A volume in a container's file system.
 name The volume.
 readOnly Whether it can't be written to.
 recursiveReadOnly Whether what is mounted below it can't be written to either.
 mountPath Where it is seen.
 subPath The part of the volume that is seen; empty = all of it.
 mountPropagation Whether mounts made later show on the other side.
 subPathExpr As subPath, with \$(NAME) for variables.
core.v1.VolumeDevice A volume as a raw device.
 name The claim's volume.
 devicePath Where the device is seen.
core.v1.SecurityContext Rights of a container's processes.
 capabilities Powers of the kernel that are added or taken away.
 privileged Whether it may do what root on the node may.
 seLinuxOptions Its SELinux label.
 windowsOptions What holds on Windows only.
 runAsUser The user id of its processes.
 runAsGroup The group id of its processes.
 runAsNonRoot Whether it is refused as user 0.
 readOnlyRootFilesystem Whether its own file system can't be written to.
 allowPrivilegeEscalation Whether a process may get more rights than its parent.
 procMount How much of /proc is hidden.
 seccompProfile Which system calls it may make.
 appArmorProfile Its AppArmor profile.
core.v1.PodSecurityContext <core.v1.SecurityContext Rights of all containers of a pod.
 supplementalGroups More groups of the first process of each container.
 supplementalGroupsPolicy Whether groups that the image names are added to them.
 fsGroup The group that owns volumes which allow it.
 sysctls Settings of the kernel for the pod alone.
 fsGroupChangePolicy Whether every file of a volume is looked at for its group.
 seLinuxChangePolicy How volumes get the pod's SELinux label.
core.v1.Capabilities Powers of the kernel.
 add Those that are added.
 drop Those that are taken away.
core.v1.SELinuxOptions A label of SELinux.
 user Its user.
 role Its role.
 type Its type.
 level Its level.
core.v1.SeccompProfile Which system calls are allowed.
 type RuntimeDefault, Unconfined or Localhost.
 localhostProfile The file on the node, for Localhost.
core.v1.AppArmorProfile <core.v1.SeccompProfile What AppArmor allows.
 localhostProfile The profile loaded on the node, for Localhost.
core.v1.WindowsSecurityContextOptions Accounts and rights on Windows.
 gmsaCredentialSpecName The name of the account's credentials.
 gmsaCredentialSpec The account's credentials themselves.
 runAsUserName The user of its processes.
 hostProcess Whether it runs as a process of the node.
core.v1.Sysctl A setting of the kernel.
 name Its name.
 value Its value.
core.v1.Affinity Where a pod should run, by nodes and by other pods.
 nodeAffinity By labels of nodes.
 podAffinity Near which pods.
 podAntiAffinity Away from which pods.
core.v1.NodeAffinity Which nodes a pod may run on, and which it likes.
 requiredDuringSchedulingIgnoredDuringExecution What a node must have; later changes do not matter.
 preferredDuringSchedulingIgnoredDuringExecution What makes a node better.
core.v1.PodAffinity <core.v1.NodeAffinity Pods to be near to.
core.v1.PodAntiAffinity <core.v1.NodeAffinity Pods to be away from.
core.v1.PreferredSchedulingTerm A wish about nodes.
 weight How much it counts, 1 to 100.
 preference What a node has.
core.v1.WeightedPodAffinityTerm A wish about other pods.
 weight How much it counts, 1 to 100.
 podAffinityTerm Which pods, and what being near means.
core.v1.PodAffinityTerm Pods, and the places that they share.
 labelSelector Labels of the pods.
 namespaces Namespaces of the pods; none here and no selector = the pod's own.
 topologyKey Nodes with the same value of this label are one place.
 namespaceSelector Labels of the namespaces; empty = all of them.
 matchLabelKeys Labels of which the pods must have this pod's values.
 mismatchLabelKeys Labels of which the pods must have other values.
core.v1.NodeSelector Which nodes; any one of the terms is enough.
 nodeSelectorTerms The terms.
core.v1.NodeSelectorTerm What a node must have, all of it.
 matchExpressions About its labels.
 matchFields About its fields; metadata.name only.
core.v1.NodeSelectorRequirement What one label must be like.
 key The label.
 operator In, NotIn, Exists, DoesNotExist, Gt or Lt.
 values What it is compared with.
core.v1.TopologySpreadConstraint How evenly pods are spread over places.
 maxSkew The most by which two places may differ.
 topologyKey Nodes with the same value of this label are one place.
 whenUnsatisfiable DoNotSchedule, or ScheduleAnyway for a mere wish.
 labelSelector The pods that are counted.
 minDomains With fewer places than this, the emptiest counts as empty.
 nodeAffinityPolicy Whether nodes that the pod can't use for its affinity are counted.
 nodeTaintsPolicy Whether nodes whose taints it does not tolerate are counted.
 matchLabelKeys Labels of which the counted pods must have this pod's values.
core.v1.Toleration A taint that a pod puts up with.
 key The taint's key; empty with Exists = all.
 operator Exists or Equal, or Lt or Gt for numbers.
 value The value it is compared with.
 effect The effect; empty = all of them.
 tolerationSeconds For how long a NoExecute is put up with; absent = for ever.
core.v1.PodOS The system that a pod is made for.
 name linux or windows.
core.v1.PodReadinessGate A condition that must be true before a pod counts as ready.
 conditionType Its type.
core.v1.PodSchedulingGate Something that holds a pod back from the scheduler.
 name Who holds it.
core.v1.PodSchedulingGroup The group that a pod is placed with.
 podGroupName The PodGroup in its namespace.
core.v1.PodResourceClaim A claim to devices that containers may use.
 name Its name in the pod.
 resourceClaimName A claim that exists.
 resourceClaimTemplateName A template of which the pod gets a claim of its own.
core.v1.PodDNSConfig How names are looked up.
 nameservers Servers to ask.
 searches Domains to try.
 options Options of the resolver.
core.v1.PodDNSConfigOption An option of the resolver.
 name Its name.
 value Its value.
core.v1.HostAlias A line of the pod's hosts file.
 ip The address.
 hostnames Names for it.
core.v1.PodCondition <meta.v1.Condition One thing that can be true of a pod.
core.v1.PodIP An address of a pod.
 ip The address.
core.v1.HostIP An address of a pod's node.
 ip The address.
core.v1.ContainerStatus What became of a container.
 name The container.
 state What it does now.
 lastState How it ended the last time.
 ready Whether it is ready to serve.
 restartCount How often it was started again.
 image The image it runs.
 imageID The digest of that image.
 containerID The runtime's name for it.
 started Whether its start is over: it runs and the startup probe succeeded.
 allocatedResources What the node has set aside for it.
 resources What it has at the moment.
 volumeMounts What became of its mounts.
 user Which users and groups its first process got.
 allocatedResourcesStatus The health of its devices.
 stopSignal The signal that asks it to stop.
core.v1.ContainerState What a container does; one of these.
 waiting It is not running yet.
 running It runs.
 terminated It has ended.
core.v1.ContainerStateWaiting A container that is not running yet.
 reason Why, in one word.
 message Why, for people.
core.v1.ContainerStateRunning A container that runs.
 startedAt Since when.
core.v1.ContainerStateTerminated How a container ended.
 exitCode Its exit code.
 signal The signal that ended it.
 reason Why, in one word.
 message The last thing it said.
 startedAt When it began.
 finishedAt When it ended.
 containerID The runtime's name for it.
core.v1.ContainerUser Who a container runs as.
 linux On Linux.
core.v1.LinuxContainerUser Who a container's first process is.
 uid Its user id.
 gid Its group id.
 supplementalGroups Its other groups.
core.v1.VolumeMountStatus What became of a mount.
 name The volume.
 mountPath Where it is seen.
 readOnly Whether it can't be written to.
 recursiveReadOnly Whether what is mounted below it can't be written to either.
 volumeStatus More about the volume.
core.v1.VolumeStatus More about a mounted volume.
 image The image that it shows.
core.v1.ImageVolumeStatus The image that a volume shows.
 imageRef Its digest.
core.v1.ResourceStatus The health of devices of one kind.
 name The resource.
 resources Each device.
core.v1.ResourceHealth The health of one device.
 resourceID Which one.
 health Healthy, Unhealthy or Unknown.
 message What is known about it.
core.v1.PodResourceClaimStatus The claim that was made for a pod.
 name Its name in the pod.
 resourceClaimName The claim; absent = none is needed.
core.v1.PodExtendedResourceClaimStatus The claim that stands behind extended resources of a pod.
 requestMappings Which request of the claim serves which container.
 resourceClaimName The claim.
core.v1.ContainerExtendedResourceRequest A container's extended resource, served by devices.
 containerName The container.
 resourceName The extended resource.
 requestName The request of the claim.
core.v1.NodeAllocatableResourceClaimStatus What of a node a claim uses for a pod.
 resourceClaimName The claim.
 containers The containers that use it.
 resources How much of what.
`;
