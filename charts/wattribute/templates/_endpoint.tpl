{{/* What ServiceMonitor and PodMonitor say of the agent's port; call with (list . .Values.serviceMonitor). */}}
{{- define "wattribute.endpoint" -}}
{{- $root := index . 0 -}}{{- $monitor := index . 1 -}}
port: metrics
path: {{ $monitor.path }}
interval: {{ $monitor.interval }}
{{- $longest := gt (include "wattribute.seconds" $monitor.scrapeTimeout | int64) (include "wattribute.seconds" $monitor.interval | int64) }}
# Never more than the interval, or the operator refuses all of it.
scrapeTimeout: {{ $longest | ternary $monitor.interval $monitor.scrapeTimeout }}
scheme: {{ $monitor.scheme | default ($root.Values.webConfig.tls | ternary "https" "http") }}
honorLabels: false
relabelings:
  # Rules and dashboards know the agent by this, whatever the release is called.
  - action: replace
    targetLabel: job
    replacement: wattribute
  {{- with $monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* metadata of an object for the Prometheus Operator or Grafana's sidecar; (list . VALUES NAME). */}}
{{- define "wattribute.metadata" -}}
{{- $root := index . 0 -}}{{- $of := index . 1 -}}
name: {{ index . 2 }}
namespace: {{ $of.namespace | default $root.Release.Namespace }}
labels:
  {{- include "wattribute.labels" $root | nindent 2 }}
  {{- with merge (dict) ($of.labels | default dict) ($of.additionalLabels | default dict) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $of.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
