{{/*
Values of Kepler's two charts (0.6 and 0.11) that have no counterpart here: path, and what to do.
They are accepted, so that an existing values file installs, and NOTES.txt names those that were given.
The others are values here too: image, nameOverride, fullnameOverride, labels, annotations, podLabels, podAnnotations,
podSecurityContext, securityContext, nodeSelector, tolerations, affinity, resources, service, rbac, serviceAccount, networkPolicy,
serviceMonitor, redfish, modelServer, config; and of `daemonset`: hostPID, tolerations, nodeSelector, affinity, resources.
*/}}
{{- define "wattribute.kepler.values" -}}
canMount: the agent brings its own BPF programs; no kernel sources are mounted
daemonset.hostUsers: the agent always is in the host's user namespace
daemonset.livenessProbe: probes are on /healthz and /readyz; see livenessProbe
daemonset.readinessProbe: probes are on /healthz and /readyz; see readinessProbe
daemonset.securityContext: two capabilities are enough; to insist, privileged=true
daemonset.startupProbe: probes are on /healthz and /readyz; see startupProbe
extraEnvVars: Kepler's variables mean nothing here; "wattribute dev convert-config" turns them into settings for config
modelServer.fullNameOverride: objects are named as all are, and -model-server
modelServer.image.pullPolicy: see image.pullPolicy
modelServer.modelConfig: agents are told by config.estimator.model_server
modelServer.nameOverride: objects are named as all are, and -model-server
modelServer.podSecurityContext: it runs without any right
modelServer.securityContext: it runs without any right
modelServer.sidecarResources: there is no sidecar
namespace: use --namespace and --create-namespace
redfish.annotations: the Secret is named as all objects are
redfish.labels: the Secret is named as all objects are; see labels
redfish.name: the Secret is named as all objects are; see redfish.existingSecret
securityContext.privileged: two capabilities are enough; to insist, privileged=true
service.protocol: it is TCP
service.targetPort: it is the container's port metrics
{{- end -}}

{{/* The same for keys of its `config`. */}}
{{- define "wattribute.kepler.config" -}}
cpu: meters are chosen by config.meter.use
debug: there is no pprof in a Python program
dev: the simulated machine is "wattribute dev plant"
experimental: see gpu and redfish; hwmon sensors are chosen by their names
exporter.prometheus: the agent always serves Prometheus; config.exporter.metrics chooses the names
exporter.stdout: the table is in "wattribute top"
host: the chart mounts the host's /sys and /proc
kube: pod names come from the API server; see config.workload.kube
monitor.maxTerminated: ended workloads stay for config.monitor.linger, all of them
monitor.minTerminatedEnergyThreshold: ended workloads stay for config.monitor.linger, all of them
monitor.staleness: a scrape shows the last tick, and collects nothing
rapl: all zones are read
web: see webConfig and service.port
{{- end -}}

{{/* Lines for NOTES.txt, one for each of them that was given. */}}
{{- define "wattribute.kepler.given" -}}
{{- $values := deepCopy .Values.AsMap -}}
{{- range $path, $why := (include "wattribute.kepler.values" . | fromYaml) -}}
{{- include "wattribute.kepler.line" (list $values $path $path $why) -}}
{{- end -}}
{{- range $path, $why := (include "wattribute.kepler.config" . | fromYaml) -}}
{{- include "wattribute.kepler.line" (list ($values.config | default dict) $path (printf "config.%s" $path) $why) -}}
{{- end -}}
{{- end -}}

{{- define "wattribute.kepler.line" -}}
{{- $at := index . 0 -}}{{- $found := true -}}
{{- range splitList "." (index . 1) -}}
{{- if and (kindIs "map" $at) (hasKey $at .) -}}{{- $at = index $at . -}}{{- else -}}{{- $found = false -}}{{- $at = dict -}}{{- end -}}
{{- end -}}
{{- if and $found (not (kindIs "invalid" $at)) }}
  {{ index . 2 }}: {{ index . 3 }}
{{- end -}}
{{- end -}}
