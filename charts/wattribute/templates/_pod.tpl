{{/* The pod of one node. */}}
{{- define "wattribute.pod" -}}
{{- $values := .Values -}}
serviceAccountName: {{ include "wattribute.serviceAccount" . }}
automountServiceAccountToken: {{ ne (include "wattribute.kube" .) "off" }}
# A Service's variables are of no use here.
enableServiceLinks: false
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
# Who ran on the node is seen only in the host's pid namespace.
hostPID: {{ dig "hostPID" $values.hostPID ($values.daemonset | default dict) }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if and $values.gpu.enabled $values.gpu.runtimeClassName }}
runtimeClassName: {{ $values.gpu.runtimeClassName }}
{{- end }}
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- with $values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $key := list "nodeSelector" "affinity" "tolerations" }}
{{- with include "wattribute.podValue" (list $ $key) }}
{{ $key }}:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}
containers:
  - name: agent
    image: {{ include "wattribute.image" . | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args:
      - agent
      - --config=/etc/wattribute/wattribute.yaml
      {{- with $values.extraArgs }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    env:
      # The node's name is in labels, and chooses the pods to ask for; the pod's host name says nothing.
      - name: WATTRIBUTE_WORKLOAD__NODE_NAME
        valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
      {{- if eq (include "wattribute.kube" .) "kubelet" }}
      # Where the kubelet listens.
      - name: WATTRIBUTE_WORKLOAD__NODE_IP
        valueFrom: {fieldRef: {fieldPath: status.hostIP}}
      {{- end }}
      {{- if $values.gpu.enabled }}
      {{- with $values.gpu.visibleDevices }}
      - {name: NVIDIA_VISIBLE_DEVICES, value: {{ . | quote }}}
      # Management only (NVML): no CUDA.
      - {name: NVIDIA_DRIVER_CAPABILITIES, value: utility}
      {{- end }}
      {{- end }}
      {{- with $values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    ports:
      - name: metrics
        containerPort: 9102
        {{- if $values.hostPort.enabled }}
        hostPort: {{ $values.hostPort.port }}
        {{- end }}
        protocol: TCP
    {{- include "wattribute.probes" . | trim | nindent 4 }}
    {{- with include "wattribute.podValue" (list . "resources") }}
    resources:
      {{- . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- $context := include "wattribute.securityContext" . }}
      {{- with omit $values.securityContext "privileged" }}
      {{- $context = mergeOverwrite ($context | fromYaml) . | toYaml }}
      {{- end }}
      {{- $context | nindent 6 }}
    volumeMounts:
      {{- include "wattribute.mounts" . | trim | nindent 6 }}
volumes:
  {{- include "wattribute.volumes" . | nindent 2 }}
{{- end -}}

{{- define "wattribute.securityContext" -}}
{{- $values := .Values -}}
{{- if $values.nonRoot -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
{{- else -}}
# Root without root's rights: Kubernetes makes added capabilities effective for uid 0 alone, and
# RAPL's files are root's.
runAsUser: 0
runAsGroup: 0
{{- end }}
readOnlyRootFilesystem: true
{{- if $values.privileged }}
privileged: true
{{- else }}
privileged: false
allowPrivilegeEscalation: false
capabilities:
  # Not even root's ordinary ones.
  drop: [ALL]
  {{- if not $values.nonRoot }}
  {{- with $values.capabilities.add }}
  # BPF: load the programs that see who ran, read their maps. PERFMON: attach them to the scheduler
  # and count cycles. SYS_RESOURCE: below 5.11 maps are locked memory.
  add: {{ toJson . }}
  {{- end }}
  {{- end }}
{{- end }}
{{- with $values.seccompProfile }}
seccompProfile: {{ toJson . }}
{{- end }}
{{- with $values.seLinuxOptions }}
seLinuxOptions: {{ toJson . }}
{{- end }}
{{- end -}}

{{- define "wattribute.probes" -}}
{{- $scheme := .Values.webConfig.tls | ternary "HTTPS" "HTTP" -}}
{{- range $name, $path := dict "livenessProbe" "/healthz" "readinessProbe" "/readyz" "startupProbe" "/readyz" }}
{{- with index $.Values $name }}
{{ $name }}:
  {{- if not (or .httpGet .tcpSocket .exec .grpc) }}
  httpGet: {path: {{ $path }}, port: metrics, scheme: {{ $scheme }}}
  {{- end }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
Runtimes mask powercap in the container's own /sys and show it its own cgroup namespace: the host's are mounted beside.
Read-only reaches file systems mounted inside them only where kubelet and runtime can do it recursively (1.31 with containerd 2.0
and newer). cgroups have a mount of their own, so that cgroup v2 is read-only everywhere.
*/}}
{{- define "wattribute.mounts" -}}
{{- $recursive := semverCompare ">=1.31.0-0" .Capabilities.KubeVersion.Version -}}
{{- range $name, $path := dict "proc" "proc" "sys" "sys" "sys-fs-cgroup" "sys/fs/cgroup" }}
- name: {{ $name }}
  mountPath: /host/{{ $path }}
  readOnly: true
  {{- if $recursive }}
  recursiveReadOnly: IfPossible
  {{- end }}
{{- end }}
- name: settings
  mountPath: /etc/wattribute/wattribute.yaml
  subPath: wattribute.yaml
  readOnly: true
{{- if include "wattribute.keepsState" . }}
# The only place that is written to.
- name: state
  mountPath: /var/lib/wattribute
{{- end }}
{{- if .Values.webConfig.existingSecret }}
- name: web-config
  mountPath: /etc/wattribute/web
  readOnly: true
{{- end }}
{{- if .Values.redfish.enabled }}
- name: redfish
  mountPath: /etc/wattribute/redfish
  readOnly: true
{{- end }}
{{- if include "wattribute.podResources" . }}
# The kubelet's word on who was given which GPU.
- name: pod-resources
  mountPath: /var/lib/kubelet/pod-resources
  readOnly: true
{{- end }}
{{- if and .Values.gpu.enabled .Values.gpu.driverPath }}
- name: nvidia
  mountPath: /usr/local/nvidia
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "wattribute.volumes" -}}
- name: proc
  hostPath: {path: /proc, type: Directory}
- name: sys
  hostPath: {path: /sys, type: Directory}
- name: sys-fs-cgroup
  hostPath: {path: /sys/fs/cgroup, type: Directory}
- name: settings
  configMap:
    name: {{ include "wattribute.fullname" . }}
{{- if include "wattribute.keepsState" . }}
- name: state
  hostPath: {path: {{ .Values.state.hostPath }}, type: DirectoryOrCreate}
{{- end }}
{{- with .Values.webConfig.existingSecret }}
- name: web-config
  secret: {secretName: {{ . }}}
{{- end }}
{{- if .Values.redfish.enabled }}
- name: redfish
  secret:
    secretName: {{ .Values.redfish.existingSecret | default (printf "%s-redfish" (include "wattribute.fullname" .)) }}
    # The agent refuses passwords that others may read.
    defaultMode: 0400
{{- end }}
{{- if include "wattribute.podResources" . }}
- name: pod-resources
  hostPath: {path: {{ .Values.gpu.podResourcesPath }}, type: DirectoryOrCreate}
{{- end }}
{{- if and .Values.gpu.enabled .Values.gpu.driverPath }}
- name: nvidia
  hostPath: {path: {{ .Values.gpu.driverPath }}, type: Directory}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Whether the agent asks the kubelet who holds which GPU: not empty if so. */}}
{{- define "wattribute.podResources" -}}
{{- if and .Values.gpu.enabled .Values.gpu.podResourcesPath (ne (include "wattribute.kube" .) "off") -}}yes{{- end -}}
{{- end -}}
