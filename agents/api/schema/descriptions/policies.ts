/**
 * What `kubectl explain` says of the parts of policies and routes, in this project's words: who may
 * do what, what admission asks, how custom resources look, which traffic passes.
 * One line a type (`group.version.Type`, maybe `<Type` whose fields mean the same, a sentence), one
 * indented line a field. Never: behaviour; read through `descriptions.ts`.
 */
export const policyDescriptions = `
admissionregistration.v1.MatchResources Which requests; all of it must fit.
 namespaceSelector Labels of the namespace.
 objectSelector Labels of the object, before or after the request.
 resourceRules What is done to which resources; any one is enough.
 excludeResourceRules What is left out again.
 matchPolicy Whether other versions of the same resource are meant too.
admissionregistration.v1.RuleWithOperations What is done to which resources.
 operations CREATE, UPDATE, DELETE, CONNECT or *.
 apiGroups Groups, or *.
 apiVersions Versions, or *.
 resources Resources, with a slash before a part of them, or *.
 scope Cluster, Namespaced or *.
admissionregistration.v1.NamedRuleWithOperations <admissionregistration.v1.RuleWithOperations What \
is done to which resources.
 resourceNames Names of the objects; none = all.
admissionregistration.v1.MatchCondition An expression that a request must meet.
 name Its name.
 expression The expression, true or false.
admissionregistration.v1.Variable A named expression.
 name Its name.
 expression The expression.
admissionregistration.v1.ParamKind A kind of parameters.
 apiVersion Its group and version.
 kind Its kind.
admissionregistration.v1.ParamRef Objects with parameters.
 name One by its name.
 namespace Where it is; absent = the request's namespace.
 selector Several by their labels.
 parameterNotFoundAction Allow or Deny, where there is none.
admissionregistration.v1.Validation One expression that must hold, and what is said when it does \
not.
 expression The expression, true when it does.
 message What is said when it does not.
 reason The reason that the answer gives.
 messageExpression An expression that makes the message.
admissionregistration.v1.AuditAnnotation A note for the audit log.
 key Its key.
 valueExpression The expression that makes it.
admissionregistration.v1.TypeChecking What types tell about a policy's expressions.
 expressionWarnings What may be wrong.
admissionregistration.v1.ExpressionWarning What may be wrong with an expression.
 fieldRef Where it stands.
 warning What types tell.
admissionregistration.v1.Mutation How an object is changed.
 patchType ApplyConfiguration or JSONPatch.
 applyConfiguration A change as server-side apply knows it.
 jsonPatch A change step by step.
admissionregistration.v1.ApplyConfiguration How server-side apply is told of a change.
 expression The expression that makes it.
admissionregistration.v1.JSONPatch How the steps of a change are told.
 expression The expression that makes its steps.
admissionregistration.v1.ValidatingWebhook A webhook that may refuse a request.
 name Its name, a full domain name.
 clientConfig How it is reached.
 rules Which requests it is asked about; any one is enough.
 failurePolicy Fail or Ignore, when it can't be asked.
 matchPolicy Whether other versions of the same resource are meant too.
 namespaceSelector Labels of the namespace.
 objectSelector Labels of the object, before or after the request.
 sideEffects Whether it does more than answer; dry runs need None or NoneOnDryRun.
 timeoutSeconds How long it may take, 1 to 30.
 admissionReviewVersions Versions of the question that it understands.
 matchConditions Expressions that a request must meet as well.
admissionregistration.v1.MutatingWebhook <admissionregistration.v1.ValidatingWebhook A webhook \
that may change a request or refuse it.
 reinvocationPolicy Whether it is asked again when a later one has changed the object.
admissionregistration.v1.WebhookClientConfig How a webhook is reached; by a URL or a service.
 url Its URL.
 service Its service.
 caBundle Certificates that its own is checked by, as PEM.
admissionregistration.v1.ServiceReference A service.
 namespace Its namespace.
 name Its name.
 path The path that is asked.
 port Its port; absent = 443.
apiextensions.v1.WebhookClientConfig <admissionregistration.v1.WebhookClientConfig How a webhook \
is reached; by a URL or a service.
apiextensions.v1.ServiceReference <admissionregistration.v1.ServiceReference A service.
apiregistration.v1.ServiceReference <admissionregistration.v1.ServiceReference A service.
apiregistration.v1.APIServiceCondition <meta.v1.Condition One thing that can be true of it.
apiextensions.v1.CustomResourceDefinitionCondition <meta.v1.Condition One thing that can be true \
of it.
apiextensions.v1.CustomResourceDefinitionNames What a resource is called.
 plural Its name in paths, in the plural.
 singular Its name in commands, in the singular.
 shortNames Shorter names for commands.
 kind Its kind.
 listKind The kind of its lists.
 categories Groups of resources that it is got with, such as all.
apiextensions.v1.CustomResourceDefinitionVersion A version of a resource.
 name Its name, such as v1.
 served Whether it can be asked for.
 storage Whether objects are stored in it; one is.
 deprecated Whether its use is warned of.
 deprecationWarning The warning.
 schema What its objects look like.
 subresources Parts that are written on their own.
 additionalPrinterColumns What get shows beside the name.
 selectableFields Fields that field selectors may name.
apiextensions.v1.CustomResourceValidation What objects look like.
 openAPIV3Schema The schema.
apiextensions.v1.CustomResourceSubresources Parts of an object that are written on their own.
 status What there is.
 scale How many.
apiextensions.v1.CustomResourceSubresourceStatus Turns the subresource status on.
apiextensions.v1.CustomResourceSubresourceScale Where the numbers of the subresource scale stand.
 specReplicasPath How many are wanted.
 statusReplicasPath How many there are.
 labelSelectorPath Which pods they are.
apiextensions.v1.CustomResourceColumnDefinition A column that get shows.
 name Its title.
 type integer, number, string, boolean or date.
 format More about the type.
 description What it shows.
 priority 0 = always shown, above = with -o wide.
 jsonPath Where its values stand.
apiextensions.v1.SelectableField A field that field selectors may name.
 jsonPath Where it stands.
apiextensions.v1.CustomResourceConversion How an object gets from one version to another.
 strategy None or Webhook.
 webhook The webhook.
apiextensions.v1.WebhookConversion A webhook that converts.
 clientConfig How it is reached.
 conversionReviewVersions Versions of the question that it understands.
apiextensions.v1.ExternalDocumentation Where a longer text is.
 description What it is about.
 url Where it is.
apiextensions.v1.ValidationRule What must hold.
 rule The expression, true when it does.
 message What is said when it does not.
 messageExpression An expression that makes the message.
 reason The reason that the answer gives.
 fieldPath The field that the answer names.
 optionalOldSelf Whether it is asked where there is no old value.
apiextensions.v1.JSONSchemaProps A schema, as OpenAPI 3 has it.
 id Not used in definitions.
 $schema Not used in definitions.
 $ref Not used in definitions.
 description What it is about.
 type object, array, string, integer, number or boolean.
 format More about the type.
 title A short name.
 default The value where there is none.
 maximum The most.
 exclusiveMaximum Whether it must be less than maximum.
 minimum The least.
 exclusiveMinimum Whether it must be more than minimum.
 maxLength Characters at most.
 minLength Characters at least.
 pattern A regular expression that text must fit.
 maxItems Entries at most.
 minItems Entries at least.
 uniqueItems Not used in definitions.
 multipleOf What a number must be a multiple of.
 enum All values that are allowed.
 maxProperties Fields at most.
 minProperties Fields at least.
 required Fields that must be there.
 items The schema of entries.
 allOf Schemas that must all fit.
 oneOf Schemas of which exactly one must fit.
 anyOf Schemas of which one must fit.
 not A schema that must not fit.
 properties Schemas of fields, by name.
 additionalProperties The schema of other fields.
 patternProperties Not used in definitions.
 dependencies Not used in definitions.
 additionalItems Not used in definitions.
 definitions Not used in definitions.
 externalDocs A text elsewhere.
 example An example.
 nullable Whether null is allowed.
 x-kubernetes-preserve-unknown-fields Whether fields that it does not name are kept.
 x-kubernetes-embedded-resource Whether it is an object with kind and metadata.
 x-kubernetes-int-or-string Whether it is a number or text.
 x-kubernetes-list-map-keys Fields by which entries are told apart.
 x-kubernetes-list-type How lists are merged: atomic, set or map.
 x-kubernetes-map-type How objects are merged: atomic or granular.
 x-kubernetes-validations Expressions that must hold.
certificates.v1.CertificateSigningRequestCondition <meta.v1.Condition What was decided about it.
certificates.v1.ExtraValue More that is known of the user.
 items The values.
rbac.v1.PolicyRule Verbs, and what they may be used on.
 verbs What, or *.
 apiGroups Groups, or *.
 resources Resources, with a slash before a part of them, or *.
 resourceNames Names of objects; none = all.
 nonResourceURLs Paths that are no resources, * at the end for all below.
rbac.v1.AggregationRule Which roles another is made of.
 clusterRoleSelectors Labels of the roles; any one is enough.
rbac.v1.RoleRef The role that is given.
 apiGroup Its group.
 kind Role or ClusterRole.
 name Its name.
rbac.v1.Subject Who is given a role.
 kind User, Group or ServiceAccount.
 apiGroup The group of that kind; empty for accounts.
 name The name.
 namespace The account's namespace.
flowcontrol.v1.FlowSchemaCondition <meta.v1.Condition One thing that can be true of it.
flowcontrol.v1.PriorityLevelConfigurationCondition <meta.v1.Condition One thing that can be true \
of it.
flowcontrol.v1.PriorityLevelConfigurationReference A level.
 name Its name.
flowcontrol.v1.FlowDistinguisherMethod How requests are told apart.
 type ByUser or ByNamespace.
flowcontrol.v1.PolicyRulesWithSubjects Whose requests of which kind.
 subjects Whose; any one is enough.
 resourceRules What is done to which resources.
 nonResourceRules What is done to which paths.
flowcontrol.v1.Subject Whose requests.
 kind User, Group or ServiceAccount.
 user The user.
 group The group.
 serviceAccount The account.
flowcontrol.v1.UserSubject A user.
 name The name, or *.
flowcontrol.v1.GroupSubject A group.
 name The name, or *.
flowcontrol.v1.ServiceAccountSubject An account.
 namespace Its namespace.
 name Its name, or *.
flowcontrol.v1.ResourcePolicyRule Verbs, resources and namespaces.
 verbs What, or *.
 apiGroups Groups, or *.
 resources Resources, or *.
 clusterScope Whether requests without a namespace are meant.
 namespaces Namespaces, or *.
flowcontrol.v1.NonResourcePolicyRule Verbs and paths.
 verbs What, or *.
 nonResourceURLs Paths, * at the end for all below.
flowcontrol.v1.ExemptPriorityLevelConfiguration A level that never waits.
 nominalConcurrencyShares Its share of the seats.
 lendablePercent How much of them others may use.
flowcontrol.v1.LimitedPriorityLevelConfiguration <flowcontrol.v1.ExemptPriorityLevelConfiguration \
A level with so many seats.
 limitResponse What happens to requests beyond them.
 borrowingLimitPercent How much it may use of others'.
flowcontrol.v1.LimitResponse What happens to requests beyond the seats.
 type Queue or Reject.
 queuing How they wait.
flowcontrol.v1.QueuingConfiguration How requests wait.
 queues How many queues there are.
 handSize How many of them one flow may be put into.
 queueLengthLimit How many requests a queue holds.
networking.v1.IngressRule Where requests for a host go.
 host The host; empty = all.
 http By path.
networking.v1.HTTPIngressRuleValue Where requests go by path.
 paths The paths.
networking.v1.HTTPIngressPath Where requests for a path go.
 path The path.
 pathType Exact, Prefix or ImplementationSpecific.
 backend Where.
networking.v1.IngressBackend Where requests go.
 service A service.
 resource Some other object.
networking.v1.IngressServiceBackend A service and its port.
 name Its name.
 port Its port.
networking.v1.ServiceBackendPort A port of a service.
 name By name.
 number By number.
networking.v1.IngressTLS A certificate and its hosts.
 hosts The hosts.
 secretName The Secret with key and certificate.
networking.v1.IngressClassParametersReference The object with a class's parameters.
 apiGroup Its group.
 kind Its kind.
 name Its name.
 scope Cluster or Namespace.
 namespace Its namespace.
networking.v1.IngressLoadBalancerStatus <core.v1.LoadBalancerStatus What a load balancer did.
networking.v1.IngressLoadBalancerIngress <core.v1.LoadBalancerIngress One address or name, and \
its ports.
networking.v1.IngressPortStatus <core.v1.PortStatus What became of a port.
networking.v1.IPBlock A block of addresses, less some.
 cidr The block.
 except Blocks in it that are left out.
networking.v1.NetworkPolicyIngressRule Traffic to the pods that passes.
 ports To these ports; none = all.
 from From these; none = all.
networking.v1.NetworkPolicyEgressRule Traffic from the pods that passes.
 ports To these ports; none = all.
 to To these; none = all.
networking.v1.NetworkPolicyPeer The other side of traffic.
 podSelector Labels of its pods.
 namespaceSelector Labels of their namespaces; absent = the policy's own.
 ipBlock Addresses.
networking.v1.NetworkPolicyPort A port, or several.
 protocol TCP, UDP or SCTP.
 port The port, as a number or by its name; absent = all.
 endPort The last of several.
networking.v1.ParentReference The object that an address belongs to.
 group Its group.
 resource Its resource.
 namespace Its namespace.
 name Its name.
node.v1.Overhead What a pod needs beside its containers.
 podFixed How much of what.
node.v1.Scheduling Where pods of a class can run.
 nodeSelector Labels that a node must have.
 tolerations Taints that the pods put up with.
`;
