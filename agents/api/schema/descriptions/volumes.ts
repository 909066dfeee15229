/**
 * What `kubectl explain` says of volumes and what they are made of, in this project's words.
 * One line a type (`group.version.Type`, maybe `<Type` whose fields mean the same, a sentence), one
 * indented line a field. Never: behaviour; read through `descriptions.ts`.
 */
export const volumeDescriptions = `
core.v1.Volume A folder that containers of a pod may share; one source says what is in it.
 name Its name in the pod.
 hostPath A file or folder of the node.
 emptyDir A folder that lives as long as the pod.
 gcePersistentDisk A disk of Google Compute Engine.
 awsElasticBlockStore A disk of Amazon EBS.
 gitRepo A clone of a Git repository; no longer supported.
 secret Keys of a Secret as files.
 nfs A share of an NFS server.
 iscsi A disk over iSCSI.
 glusterfs A share of Glusterfs.
 persistentVolumeClaim What a claim is bound to.
 rbd A block device of Ceph.
 flexVolume A volume of a driver in the old form.
 cinder A disk of OpenStack.
 cephfs A file system of Ceph.
 flocker A volume of Flocker.
 downwardAPI Fields of the pod as files.
 fc A disk over Fibre Channel.
 azureFile A file share of Azure.
 configMap Keys of a ConfigMap as files.
 vsphereVolume A disk of vSphere.
 quobyte A volume of Quobyte.
 azureDisk A disk of Azure.
 photonPersistentDisk A disk of Photon.
 projected Several sources in one folder.
 portworxVolume A volume of Portworx.
 scaleIO A volume of ScaleIO.
 storageos A volume of StorageOS.
 csi A volume that a driver makes for this pod.
 ephemeral A claim that lives as long as the pod.
 image The files of an image.
core.v1.HostPathVolumeSource Where it is on the node.
 path Where it is on the node.
 type What must be there, or is made; empty = no look.
core.v1.EmptyDirVolumeSource What the folder is kept in and how much it takes.
 medium Memory, HugePages, or empty for the node's disk.
 sizeLimit The most it may hold.
core.v1.SecretVolumeSource What the files hold and who may read them.
 secretName The Secret.
 items Which keys become which files; none = all.
 defaultMode Permissions of the files.
 optional Whether the pod starts without it.
core.v1.ConfigMapVolumeSource <core.v1.SecretVolumeSource What the files hold and who may read them.
 name The ConfigMap.
core.v1.KeyToPath A key that becomes a file.
 key The key.
 path The file, relative to the volume.
 mode Its permissions.
core.v1.DownwardAPIVolumeSource What the files hold and who may read them.
 items The files.
 defaultMode Permissions of the files.
core.v1.DownwardAPIVolumeFile A field of the pod as a file.
 path The file, relative to the volume.
 fieldRef A field of the pod.
 resourceFieldRef What a container asks for or may use.
 mode Its permissions.
core.v1.ProjectedVolumeSource The sources and who may read the files.
 sources The sources.
 defaultMode Permissions of the files.
core.v1.VolumeProjection One source of a folder; one of these.
 secret Keys of a Secret.
 downwardAPI Fields of the pod.
 configMap Keys of a ConfigMap.
 serviceAccountToken A token of the pod's account.
 clusterTrustBundle Certificates that a signer is trusted by.
 podCertificate A key and a certificate of the pod's own.
core.v1.SecretProjection <core.v1.ConfigMapProjection Which keys become which files.
core.v1.ConfigMapProjection Which keys become which files.
 name The object's name.
 items Which keys become which files; none = all.
 optional Whether the pod starts without it.
core.v1.DownwardAPIProjection Which fields become which files.
 items The files.
core.v1.ServiceAccountTokenProjection A token of the pod's account, renewed in time.
 audience Whom it is for; empty = the API server.
 expirationSeconds How long it is good for.
 path The file, relative to the volume.
core.v1.ClusterTrustBundleProjection Certificates to trust, in one file.
 name One bundle.
 signerName All bundles of a signer.
 labelSelector Which of the signer's bundles.
 optional Whether the pod starts without them.
 path The file, relative to the volume.
core.v1.PodCertificateProjection A key and a certificate of the pod's own, renewed in time.
 signerName Who signs it.
 keyType The kind of key.
 maxExpirationSeconds How long it may be good for at most.
 credentialBundlePath The file with key and certificates together.
 keyPath The file with the key.
 certificateChainPath The file with the certificates.
 userAnnotations More that the signer is told.
core.v1.PersistentVolumeClaimVolumeSource A claim of the pod's namespace.
 claimName The claim.
 readOnly Whether it can't be written to.
core.v1.EphemeralVolumeSource The claim that is made.
 volumeClaimTemplate The claim that is made.
core.v1.PersistentVolumeClaimTemplate A claim that is made for a pod.
core.v1.ImageVolumeSource The image and when it is fetched.
 reference The image.
 pullPolicy When it is fetched.
core.v1.CSIVolumeSource The driver and what it is told.
 driver The driver.
 readOnly Whether it can't be written to.
 fsType The file system.
 volumeAttributes What the driver is told.
 nodePublishSecretRef The Secret that the driver is given.
core.v1.CSIPersistentVolumeSource <core.v1.CSIVolumeSource A volume of a driver.
 volumeHandle The driver's name for it.
 controllerPublishSecretRef The Secret for attaching it.
 nodeStageSecretRef The Secret for preparing it on a node.
 controllerExpandSecretRef The Secret for making it larger.
 nodeExpandSecretRef The Secret for making it larger on a node.
core.v1.LocalVolumeSource A disk or folder of one node.
 path Where it is on the node.
 fsType The file system, for a disk.
core.v1.NFSVolumeSource Where the volume is and how it is mounted.
 server The server.
 path What it shares.
 readOnly Whether it can't be written to.
core.v1.ISCSIVolumeSource Where the volume is and how it is mounted.
 targetPortal Address of the target.
 iqn Its qualified name.
 lun The number of the disk.
 iscsiInterface The interface that is used.
 fsType The file system.
 readOnly Whether it can't be written to.
 portals More addresses of the target.
 chapAuthDiscovery Whether discovery needs a password.
 chapAuthSession Whether a session needs a password.
 secretRef The Secret with the passwords.
 initiatorName Our own qualified name.
core.v1.ISCSIPersistentVolumeSource <core.v1.ISCSIVolumeSource A disk over iSCSI.
core.v1.FCVolumeSource Where the volume is and how it is mounted.
 targetWWNs World-wide names of the target.
 lun The number of the disk.
 fsType The file system.
 readOnly Whether it can't be written to.
 wwids World-wide ids of the disk, in place of names and number.
core.v1.AWSElasticBlockStoreVolumeSource Where the volume is and how it is mounted.
 volumeID The disk.
 fsType The file system.
 partition The partition; 0 = the whole disk.
 readOnly Whether it can't be written to.
core.v1.GCEPersistentDiskVolumeSource <core.v1.AWSElasticBlockStoreVolumeSource Where the volume \
is and how it is mounted.
 pdName The disk.
core.v1.AzureDiskVolumeSource Where the volume is and how it is mounted.
 diskName The disk.
 diskURI Where its data are.
 cachingMode None, ReadOnly or ReadWrite.
 fsType The file system.
 readOnly Whether it can't be written to.
 kind Whether it is managed by Azure, shares an account or has its own.
core.v1.AzureFileVolumeSource Where the volume is and how it is mounted.
 secretName The Secret with the account's key.
 shareName The share.
 readOnly Whether it can't be written to.
core.v1.AzureFilePersistentVolumeSource <core.v1.AzureFileVolumeSource A file share of Azure.
 secretNamespace The Secret's namespace; absent = the claim's.
core.v1.CephFSVolumeSource Where the volume is and how it is mounted.
 monitors Addresses of its monitors.
 path What of it is mounted; empty = all.
 user The user.
 secretFile The file on the node with the user's key.
 secretRef The Secret with the user's key.
 readOnly Whether it can't be written to.
core.v1.CephFSPersistentVolumeSource <core.v1.CephFSVolumeSource A file system of Ceph.
core.v1.RBDVolumeSource <core.v1.CephFSVolumeSource Where the volume is and how it is mounted.
 image The image in the pool.
 fsType The file system.
 pool The pool.
 keyring The file on the node with the keys.
core.v1.RBDPersistentVolumeSource <core.v1.RBDVolumeSource Where the volume is and how it is \
mounted.
core.v1.CinderVolumeSource Where the volume is and how it is mounted.
 volumeID The disk.
 fsType The file system.
 readOnly Whether it can't be written to.
 secretRef The Secret with what is needed to reach it.
core.v1.CinderPersistentVolumeSource <core.v1.CinderVolumeSource Where the volume is and how it \
is mounted.
core.v1.FlexVolumeSource Where the volume is and how it is mounted.
 driver The driver.
 fsType The file system.
 secretRef The Secret that the driver is given.
 readOnly Whether it can't be written to.
 options What the driver is told.
core.v1.FlexPersistentVolumeSource <core.v1.FlexVolumeSource A volume of a driver in the old form.
core.v1.FlockerVolumeSource Where the volume is and how it is mounted.
 datasetName The dataset by its name.
 datasetUUID The dataset by its id.
core.v1.GitRepoVolumeSource What is cloned, and where to.
 repository Where it is.
 revision The commit.
 directory Where in the volume it goes.
core.v1.GlusterfsVolumeSource Where the volume is and how it is mounted.
 endpoints The Endpoints that name the servers.
 path The volume.
 readOnly Whether it can't be written to.
core.v1.GlusterfsPersistentVolumeSource <core.v1.GlusterfsVolumeSource A share of Glusterfs.
 endpointsNamespace The namespace of the Endpoints.
core.v1.PhotonPersistentDiskVolumeSource Where the volume is and how it is mounted.
 pdID The disk.
 fsType The file system.
core.v1.PortworxVolumeSource Where the volume is and how it is mounted.
 volumeID The volume.
 fsType The file system.
 readOnly Whether it can't be written to.
core.v1.QuobyteVolumeSource Where the volume is and how it is mounted.
 registry Addresses of its registry.
 volume The volume.
 readOnly Whether it can't be written to.
 user The user it is mounted as.
 group The group it is mounted as.
 tenant Whom it belongs to.
core.v1.ScaleIOVolumeSource Where the volume is and how it is mounted.
 gateway Address of its gateway.
 system The system.
 secretRef The Secret with the user's password.
 sslEnabled Whether the gateway is asked over TLS.
 protectionDomain The protection domain.
 storagePool The pool.
 storageMode Whether its space is set aside at once.
 volumeName The volume.
 fsType The file system.
 readOnly Whether it can't be written to.
core.v1.ScaleIOPersistentVolumeSource <core.v1.ScaleIOVolumeSource Where the volume is and how it \
is mounted.
core.v1.StorageOSVolumeSource Where the volume is and how it is mounted.
 volumeName The volume.
 volumeNamespace Its namespace there.
 fsType The file system.
 readOnly Whether it can't be written to.
 secretRef The Secret with what is needed to reach it.
core.v1.StorageOSPersistentVolumeSource <core.v1.StorageOSVolumeSource Where the volume is and \
how it is mounted.
core.v1.VsphereVirtualDiskVolumeSource Where the volume is and how it is mounted.
 volumePath The disk.
 fsType The file system.
 storagePolicyName The profile that it is kept by.
 storagePolicyID The id of that profile.
core.v1.VolumeNodeAffinity From which nodes a volume can be reached.
 required What a node must have.
core.v1.VolumeResourceRequirements How much room is wanted.
 limits The most.
 requests The least.
core.v1.PersistentVolumeClaimCondition <meta.v1.Condition One thing that can be true of a claim.
core.v1.ModifyVolumeStatus How far a change of a volume's attributes has come.
 targetVolumeAttributesClassName The class that is wanted.
 status Pending, InProgress or Infeasible.
core.v1.AttachedVolume A volume that is attached to a node.
 name Its name.
 devicePath The device there.
core.v1.TopologySelectorTerm Labels of places.
 matchLabelExpressions Labels of the places, all of which must fit.
core.v1.TopologySelectorLabelRequirement A label of a place.
 key The label.
 values Any one of these.
storage.v1.CSINodeDriver A driver on a node.
 name The driver.
 nodeID The driver's name for the node.
 topologyKeys Labels of the node that say where it is.
 allocatable How much it can take.
storage.v1.VolumeNodeResources How many volumes a node can take.
 count The most.
storage.v1.TokenRequest A token that a driver is given.
 audience Whom it is for; empty = the API server.
 expirationSeconds How long it is good for.
storage.v1.VolumeAttachmentSource What is attached; one of these.
 persistentVolumeName A volume.
 inlineVolumeSpec A volume that is written here.
storage.v1.VolumeError What went wrong the last time.
 time When.
 message What.
 errorCode The driver's gRPC code.
`;
