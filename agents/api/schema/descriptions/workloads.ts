/**
 * What `kubectl explain` says of controllers, leases, slices and budgets, in this project's words.
 * One line a type (`group.version.Type` and a sentence), one indented line a field.
 * Never: behaviour; read through `descriptions.ts`. Source: what the fields do here and upstream.
 */
export const workloadDescriptions = `
apps.v1.ControllerRevision A state of a controller's template, kept so that it can come back.
 data The state.
 revision Which one it is, counted by the controller.
apps.v1.DaemonSet Runs one pod on every node, or on every one that matches.
apps.v1.DaemonSetSpec Which pod runs on the nodes.
 updateStrategy How pods are replaced when the template changes.
apps.v1.DaemonSetStatus How many nodes run it.
 currentNumberScheduled Nodes that run a pod and should.
 numberMisscheduled Nodes that run a pod and should not.
 desiredNumberScheduled Nodes that should run a pod.
 numberReady Nodes whose pod is ready.
 updatedNumberScheduled Nodes whose pod is of the current template.
 numberAvailable Nodes whose pod has been ready for long enough.
 numberUnavailable Nodes that should have an available pod and do not.
apps.v1.Deployment Keeps equal pods and replaces them step by step when their template changes.
apps.v1.DeploymentSpec Which pods are kept, how many, and how they are replaced.
 strategy How old pods give way to new ones.
 paused Whether changes of the template wait.
 progressDeadlineSeconds After how long without progress it counts as failed.
apps.v1.DeploymentStatus How far it has come.
 unavailableReplicas Pods that are still missing.
apps.v1.ReplicaSet Keeps a number of equal pods.
apps.v1.ReplicaSetSpec Which pods are kept, and how many.
apps.v1.ReplicaSetStatus How many there are.
apps.v1.StatefulSet Keeps pods that have names, an order and storage of their own.
apps.v1.StatefulSetSpec Which pods are kept, how many, and with which storage.
 volumeClaimTemplates Claims that each pod gets.
 serviceName The service that gives the pods their host names.
 podManagementPolicy Whether pods come and go one by one or all at once.
 updateStrategy How pods are replaced when the template changes.
 persistentVolumeClaimRetentionPolicy What becomes of claims when pods or the set go.
 ordinals The number of the first pod.
apps.v1.StatefulSetStatus How far it has come.
 currentReplicas Pods of the current revision.
 currentRevision The revision that pods are updated from.
 updateRevision The revision that pods are updated to.
autoscaling.v2.HorizontalPodAutoscaler Changes how many pods something has, by metrics.
autoscaling.v2.HorizontalPodAutoscalerSpec What is scaled, within which bounds, by what.
 scaleTargetRef What is scaled.
 minReplicas Pods at least.
 maxReplicas Pods at most.
 metrics What is measured, and what it should be.
 behavior How fast it may grow and shrink.
autoscaling.v2.HorizontalPodAutoscalerStatus What was measured and decided.
 lastScaleTime When the number last changed.
 currentReplicas Pods there were when last seen.
 desiredReplicas Pods there should be.
 currentMetrics The metrics when last read.
autoscaling.v1.HorizontalPodAutoscaler Changes how many pods something has, by their use of cpu.
autoscaling.v1.HorizontalPodAutoscalerSpec What is scaled, and within which bounds.
 scaleTargetRef What is scaled.
 minReplicas Pods at least.
 maxReplicas Pods at most.
 targetCPUUtilizationPercentage What share of the cpu that they ask for pods should use.
autoscaling.v1.HorizontalPodAutoscalerStatus What was measured and decided.
 lastScaleTime When the number last changed.
 currentReplicas Pods there were when last seen.
 desiredReplicas Pods there should be.
 currentCPUUtilizationPercentage What share of the cpu that they ask for pods use now.
batch.v1.CronJob Makes a job at set times.
batch.v1.CronJobSpec Which job is made, and when.
 schedule When, in five fields as cron has them.
 timeZone The zone that the schedule is read in.
 startingDeadlineSeconds How late a missed job may still start.
 concurrencyPolicy What happens when the last job still runs.
 suspend Whether no more jobs are made.
 jobTemplate The shape of the jobs.
 successfulJobsHistoryLimit How many successful jobs are kept.
 failedJobsHistoryLimit How many failed jobs are kept.
batch.v1.CronJobStatus What was made.
 active Jobs that run now.
 lastScheduleTime When a job was last made.
 lastSuccessfulTime When a job last succeeded.
batch.v1.Job Runs pods until enough of them have succeeded.
batch.v1.JobSpec Which pods run, how many, and what counts as failure.
 parallelism How many run at once.
 completions How many must succeed.
 activeDeadlineSeconds After how long the job is stopped.
 podFailurePolicy What kinds of failure mean for the job.
 successPolicy When the job has succeeded before all pods have.
 backoffLimit How many pods may fail.
 backoffLimitPerIndex How many pods of one index may fail.
 maxFailedIndexes How many indexes may fail.
 manualSelector Whether the selector was chosen by hand.
 ttlSecondsAfterFinished How long the job is kept once it has ended.
 completionMode Whether each pod has an index of its own.
 suspend Whether its pods wait.
 podReplacementPolicy When a pod that goes is replaced.
 managedBy The controller that runs the job.
batch.v1.JobStatus How far a job has come.
 startTime When it started.
 completionTime When it was complete.
 active Pods that run.
 succeeded Pods that succeeded.
 failed Pods that failed.
 terminating Pods that are going.
 completedIndexes Indexes that succeeded.
 failedIndexes Indexes that failed.
 uncountedTerminatedPods Pods that ended and are not yet in the counts.
 ready Pods that are ready.
coordination.v1.Lease A claim that must be renewed; components use it to tell that they live.
coordination.v1.LeaseSpec Who holds it, and for how long.
 holderIdentity Who holds it.
 leaseDurationSeconds How long others wait after the last renewal.
 acquireTime When the holder got it.
 renewTime When the holder last renewed it.
 leaseTransitions How often it went to another holder.
 strategy How the next holder is chosen.
 preferredHolder Who should get it next.
discovery.v1.EndpointSlice A part of the addresses behind a service.
 addressType Whether addresses are IPv4, IPv6 or host names.
 endpoints The addresses and how they are doing.
 ports The ports that all of them share.
events.v1.Event A note of something that happened to an object.
 eventTime When it was first seen.
 series How often and until when it was seen, for events that repeat.
 reportingController The controller that wrote the event.
 reportingInstance The instance of that controller.
 action What was done about the object.
 reason One word for why it happened.
 regarding The object that it is about.
 related A second object that has to do with it.
 note What happened, for people.
 type Normal, or Warning.
 deprecatedSource The component that saw it, in the old form.
 deprecatedFirstTimestamp When it was first seen, in the old form.
 deprecatedLastTimestamp When it was last seen, in the old form.
 deprecatedCount How often it was seen, in the old form.
policy.v1.PodDisruptionBudget Bounds how many pods may be taken away at once on purpose.
policy.v1.PodDisruptionBudgetSpec Which pods, and how many.
 minAvailable Pods that must stay.
 maxUnavailable Pods that may be away.
 unhealthyPodEvictionPolicy Whether pods that are not healthy may always go.
policy.v1.PodDisruptionBudgetStatus How many may go now.
 disruptedPods Pods that are about to go, by name.
 disruptionsAllowed How many may go now.
 currentHealthy Healthy pods there are.
 desiredHealthy Healthy pods there must be.
 expectedPods Pods that the budget counts.
scheduling.v1.PriorityClass A name for a priority.
 value The priority.
 globalDefault Whether pods without a class get it.
 description When to use it, for people.
 preemptionPolicy Whether its pods may displace others.
scheduling.v1alpha2.PodGroup Pods that are placed together.
scheduling.v1alpha2.PodGroupSpec How they are placed.
 podGroupTemplateRef The template that it was made from.
 schedulingPolicy Whether its pods start together, and how many it takes.
 schedulingConstraints Where its pods may go together; refused here.
 resourceClaims Claims that its pods share; refused here.
 disruptionMode Whether it is evicted as a whole; refused here.
 priorityClassName The class of its priority; refused here.
 priority Its priority; refused here.
scheduling.v1alpha2.PodGroupStatus Whether its pods have nodes.
 resourceClaimStatuses The claims that were made for it.
scheduling.v1alpha2.Workload A piece of work, and the groups of pods that do it.
scheduling.v1alpha2.WorkloadSpec Its groups.
 controllerRef The object that it describes, such as a job.
 podGroupTemplates A template for each group.
node.v1.RuntimeClass A way of running pods that the container runtime offers.
 handler How the container runtime calls it.
 overhead What running a pod takes besides its containers.
 scheduling The nodes that offer it.
`;
