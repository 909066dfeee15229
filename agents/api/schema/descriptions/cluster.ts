/**
 * What `kubectl explain` says of networks, rights, extensions, devices and storage classes.
 * One line a type (`group.version.Type` and a sentence), one indented line a field.
 * Never: behaviour; read through `descriptions.ts`. Source: what the fields do here and upstream.
 */
export const clusterDescriptions = `
networking.v1.IngressClass A kind of ingress and the controller that serves it.
networking.v1.IngressClassSpec Who serves the class.
 controller The controller.
 parameters Where its settings stand.
networking.v1.Ingress Routes requests from outside to services, by host and path.
networking.v1.IngressSpec The routes.
 ingressClassName The class that serves it.
 defaultBackend Where requests go that no rule matches.
 tls Certificates, and the hosts that they are for.
 rules Routes, by host and path.
networking.v1.IngressStatus Where it is reached.
 loadBalancer Addresses and host names from outside.
networking.v1.IPAddress An address that a service holds; its name is the address.
networking.v1.IPAddressSpec Who holds it.
 parentRef The object that holds it.
networking.v1.NetworkPolicy Says which traffic pods may get and send.
networking.v1.NetworkPolicySpec The pods and their traffic.
 podSelector Labels of the pods that it is about.
 ingress Traffic that they may get.
 egress Traffic that they may send.
 policyTypes Which directions it rules.
networking.v1.ServiceCIDR A block that services get their addresses from.
networking.v1.ServiceCIDRSpec The block.
 cidrs One block, or one of each family.
networking.v1.ServiceCIDRStatus Whether addresses are taken from it.
rbac.v1.ClusterRoleBinding Grants a cluster role everywhere.
 subjects Who gets the rights.
 roleRef The role.
rbac.v1.ClusterRole Rights that are not tied to a namespace.
 rules What may be done to what.
 aggregationRule Roles whose rules are gathered into this one.
rbac.v1.RoleBinding Grants a role within its namespace.
 subjects Who gets the rights.
 roleRef The role.
rbac.v1.Role Rights within a namespace.
 rules What may be done to what.
certificates.v1.CertificateSigningRequest Asks for a certificate.
certificates.v1.CertificateSigningRequestSpec What is asked, and by whom.
 request The request itself, as PEM in base64.
 signerName Who is asked to sign.
 expirationSeconds How long the certificate should be valid.
 usages What the key will be used for.
 username Who asked; set by the API server.
 uid The identity of who asked; set by the API server.
 groups The groups of who asked; set by the API server.
 extra More about who asked; set by the API server.
certificates.v1.CertificateSigningRequestStatus What was decided.
 certificate The certificate, once it is issued.
admissionregistration.v1.MutatingAdmissionPolicy Changes objects on their way in, by expressions.
admissionregistration.v1.MutatingAdmissionPolicySpec Which objects, and how.
 mutations The changes, in order.
 reinvocationPolicy Whether it runs again after others changed the object.
admissionregistration.v1.MutatingAdmissionPolicyBinding Puts a mutating policy to work.
admissionregistration.v1.MutatingAdmissionPolicyBindingSpec Which policy, with what, where.
admissionregistration.v1.MutatingWebhookConfiguration Webhooks that may change objects.
 webhooks The webhooks, in order.
admissionregistration.v1.ValidatingAdmissionPolicy Refuses objects on their way in, by expressions.
admissionregistration.v1.ValidatingAdmissionPolicySpec Which objects, and what must hold.
 validations What must hold.
 auditAnnotations What is noted in the audit log.
admissionregistration.v1.ValidatingAdmissionPolicyStatus What was found in the policy.
 typeChecking Expressions that may not fit the objects.
admissionregistration.v1.ValidatingAdmissionPolicyBinding Puts a validating policy to work.
admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec Which policy, with what, where.
 validationActions What happens when a check fails: Deny, Warn or Audit.
admissionregistration.v1.ValidatingWebhookConfiguration Webhooks that may refuse objects.
 webhooks The webhooks.
apiextensions.v1.CustomResourceDefinition Adds a resource to the API.
apiextensions.v1.CustomResourceDefinitionSpec What the resource is called and looks like.
 group The group that it belongs to.
 names Its names.
 scope Whether its objects stand in namespaces.
 versions Its versions, with the schema of each.
 conversion How objects go from one version to another.
 preserveUnknownFields Not used any more.
apiextensions.v1.CustomResourceDefinitionStatus Whether the resource is served.
 acceptedNames Names under which it is served.
 storedVersions Versions that objects were ever kept in.
apiregistration.v1.APIService A group and version of the API, and who serves it.
apiregistration.v1.APIServiceSpec Who serves it.
 service The service that answers; none when this server does.
 group The group.
 version The version.
 insecureSkipTLSVerify Whether the service's certificate is not checked.
 caBundle The authority for the service's certificate.
 groupPriorityMinimum How the group ranks among groups.
 versionPriority How the version ranks within its group.
apiregistration.v1.APIServiceStatus Whether it answers.
flowcontrol.v1.FlowSchema Tells which requests belong to which priority level.
flowcontrol.v1.FlowSchemaSpec Which requests, and which level.
 priorityLevelConfiguration The level that they get.
 matchingPrecedence Schemas with lower numbers are asked first.
 distinguisherMethod How flows are told apart within the schema.
 rules Which requests it is about.
flowcontrol.v1.FlowSchemaStatus Whether the schema works.
flowcontrol.v1.PriorityLevelConfiguration A share of what the API server does at once.
flowcontrol.v1.PriorityLevelConfigurationSpec How large the share is.
 type Whether the level is limited or exempt.
 limited The limits.
 exempt What an exempt level lends to others.
flowcontrol.v1.PriorityLevelConfigurationStatus Whether the level works.
resource.v1.DeviceClass A named choice of devices with settings.
resource.v1.DeviceClassSpec Which devices, with which settings.
 selectors Expressions that devices must meet.
 config Settings for their drivers.
 extendedResourceName The name under which pods may ask for them as a resource.
resource.v1.ResourceClaim A claim to devices.
resource.v1.ResourceClaimSpec Which devices are wanted.
 devices The requests, what must hold between them, and settings.
resource.v1.ResourceClaimStatus What the claim got.
 allocation The devices that it got.
 reservedFor The pods that use them.
 devices What drivers report of them.
resource.v1.ResourceClaimTemplate A shape of claims that pods get one of each.
resource.v1.ResourceClaimTemplateSpec The shape.
resource.v1.ResourceSlice Devices of one pool, as their driver publishes them.
resource.v1.ResourceSliceSpec The devices and who reaches them.
 driver The driver that runs them.
 pool The pool that they belong to.
 nodeName The node that reaches them.
 nodeSelector The nodes that reach them.
 allNodes Whether all nodes reach them.
 devices The devices.
 perDeviceNodeSelection Whether each device says which nodes reach it.
 sharedCounters Amounts that devices draw on together.
storage.v1.CSIDriver A CSI driver and what it needs.
storage.v1.CSIDriverSpec What the driver needs.
 attachRequired Whether volumes are attached before they are mounted.
 podInfoOnMount Whether it is told of the pod when it mounts.
 volumeLifecycleModes Whether volumes outlive pods.
 storageCapacity Whether it reports how much is left.
 fsGroupPolicy Whether files get the pod's group.
 tokenRequests Tokens that it needs of the pod's account.
 requiresRepublish Whether it is called again and again.
 seLinuxMount Whether it can mount with a label of SELinux.
 nodeAllocatableUpdatePeriodSeconds How often a node's limits are asked for.
 serviceAccountTokenInSecrets Whether tokens are handed over as secrets.
 preventPodSchedulingIfMissing Whether pods stay away from nodes that lack it.
storage.v1.CSINode The CSI drivers of a node.
storage.v1.CSINodeSpec The drivers.
 drivers One entry for each driver.
storage.v1.CSIStorageCapacity How much storage of a class is left somewhere.
 nodeTopology The nodes that it is about.
 storageClassName The class.
 capacity How much is left.
 maximumVolumeSize The largest volume that fits.
storage.v1.StorageClass A kind of storage that claims may ask for.
 provisioner Who makes its volumes.
 parameters Settings for who makes them.
 reclaimPolicy What becomes of a volume when its claim is gone.
 mountOptions Options for mounting its volumes.
 allowVolumeExpansion Whether volumes may grow.
 volumeBindingMode Whether a volume is made at once or when a pod needs it.
 allowedTopologies Where volumes may be made.
storage.v1.VolumeAttachment Asks that a volume be attached to a node.
storage.v1.VolumeAttachmentSpec Which volume, and which node.
 attacher The driver that attaches it.
 source The volume.
 nodeName The node.
storage.v1.VolumeAttachmentStatus Whether it is attached.
 attached Whether it is.
 attachmentMetadata What mounting needs to know.
 attachError Why attaching failed last.
 detachError Why detaching failed last.
storage.v1.VolumeAttributesClass Attributes of volumes that may change while in use.
 driverName The driver that knows them.
 parameters The attributes.
`;
