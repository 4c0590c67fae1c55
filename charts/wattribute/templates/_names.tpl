{{- define "wattribute.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 40 characters: names of dashboards are longer by up to 23, and 63 is a label's limit. */}}
{{- define "wattribute.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "wattribute.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "wattribute.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "wattribute.selector" -}}
app.kubernetes.io/name: {{ include "wattribute.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wattribute.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "wattribute.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "wattribute.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "wattribute.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "wattribute.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/*
A value of the pod: Kepler's newer chart has them below `daemonset`, its older one and this one at the top.
Call with (list . "tolerations"); YAML, empty if there is nothing.
*/}}
{{- define "wattribute.podValue" -}}
{{- $root := index . 0 -}}{{- $key := index . 1 -}}
{{- $value := index $root.Values $key -}}
{{- $theirs := index ($root.Values.daemonset | default dict) $key -}}
{{- if not (empty $theirs) -}}{{- $value = $theirs -}}{{- end -}}
{{- if not (empty $value) -}}{{- toYaml $value -}}{{- end -}}
{{- end -}}
