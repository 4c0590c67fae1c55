{{/* Whole seconds of a Prometheus duration: "15s", "1m30s". */}}
{{- define "wattribute.seconds" -}}
{{- $ms := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" . -1 -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $ms = add $ms (mul $number (index (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000) $unit)) -}}
{{- end -}}
{{- div (add $ms 999) 1000 -}}
{{- end -}}

{{/* Twice the scrape interval, at least 30 s: a new series is shown as 0 until it was surely scraped once. */}}
{{- define "wattribute.birthHold" -}}
{{- $hold := 30 -}}
{{- range list .Values.serviceMonitor .Values.podMonitor -}}
{{- if .enabled -}}
{{- $hold = max $hold (mul 2 (include "wattribute.seconds" .interval | int64)) -}}
{{- end -}}
{{- end -}}
{{- $hold -}}
{{- end -}}

{{/* Where pod names come from: auto, apiserver, kubelet or off, which YAML 1.1 reads as false. */}}
{{- define "wattribute.kube" -}}
{{- $kube := dig "workload" "kube" "auto" (.Values.config | default dict) -}}
{{- kindIs "bool" $kube | ternary "off" $kube -}}
{{- end -}}

{{/* The agent's settings file: what the chart knows, then `config`, less Kepler's keys. */}}
{{- define "wattribute.settings" -}}
{{- $ours := dict
  "meter" (dict "sysfs" "/host/sys")
  "activity" (dict "procfs" "/host/proc")
  "monitor" (dict "birth_hold" (include "wattribute.birthHold" . | int64))
  "exporter" (dict "listen" (list ":9102"))
-}}
{{- if include "wattribute.keepsState" . -}}
{{- $_ := set $ours.monitor "state" "/var/lib/wattribute/state.json" -}}
{{- end -}}
{{- if .Values.webConfig.existingSecret -}}
{{- $_ := set $ours.exporter "web_config" (printf "/etc/wattribute/web/%s" .Values.webConfig.key) -}}
{{- end -}}
{{- if and .Values.gpu.enabled .Values.gpu.driverPath -}}
{{- $_ := set $ours.meter "nvml_library" "/usr/local/nvidia/lib64/libnvidia-ml.so.1" -}}
{{- end -}}
{{- if .Values.redfish.enabled -}}
{{- $_ := set $ours.meter "redfish_credentials" (printf "/etc/wattribute/redfish/%s" .Values.redfish.key) -}}
{{- end -}}
{{- $theirs := deepCopy (.Values.config | default dict) -}}
{{- range $path, $_ := (include "wattribute.kepler.config" . | fromYaml) -}}
{{- $names := splitList "." $path -}}
{{- if eq (len $names) 1 -}}
{{- $_ := unset $theirs $path -}}
{{- else if kindIs "map" (index $theirs (first $names)) -}}
{{- $_ := unset (index $theirs (first $names)) (last $names) -}}
{{- end -}}
{{- end -}}
{{- if hasKey ($theirs.workload | default dict) "kube" -}}
{{- $_ := set $theirs.workload "kube" (include "wattribute.kube" .) -}}
{{- end -}}
{{- $all := dict -}}
{{- range $room, $keys := mergeOverwrite $ours $theirs -}}
{{- if $keys -}}{{- $_ := set $all $room $keys -}}{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- define "wattribute.keepsState" -}}
{{- if and .Values.state.enabled (not .Values.nonRoot) -}}yes{{- end -}}
{{- end -}}

{{/* Stops the installation where the pods would refuse to start, or would say too much. */}}
{{- define "wattribute.check" -}}
{{- $config := .Values.config | default dict -}}
{{- if regexMatch "(^|/)kepler$" .Values.image.repository -}}
{{- fail (printf "image.repository: %s is Kepler's image; leave image out of a values file of Kepler's chart" .Values.image.repository) -}}
{{- end -}}
{{- if not .Values.webConfig.authenticates -}}
{{- $interval := dig "monitor" "interval" 5 $config -}}
{{- $short := false -}}
{{- if kindIs "string" $interval -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?ms$" $interval -}}
{{- $short = lt (regexFind "^[0-9]+" $interval | int64) 1000 -}}
{{- else -}}
{{- $short = regexMatch "^0*(\\.[0-9]+)?s?$" $interval -}}
{{- end -}}
{{- else -}}
{{- $short = lt (float64 $interval) 1.0 -}}
{{- end -}}
{{- if $short -}}
{{- fail (printf "config.monitor.interval: %v is under 1 s, and the pods listen on all addresses: readings that fast leak what others compute (PLATYPUS). Use 1s or more, or webConfig.existingSecret with users and webConfig.authenticates=true" $interval) -}}
{{- end -}}
{{- if dig "exporter" "processes" false $config -}}
{{- fail "config.exporter.processes: true shows the processes of all pods to whoever can reach port 9102; it needs webConfig.existingSecret with users and webConfig.authenticates=true" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.webConfig.authenticates (not .Values.webConfig.existingSecret) -}}
{{- fail "webConfig.authenticates: true needs webConfig.existingSecret, the Secret with the web-config.yml" -}}
{{- end -}}
{{- if and .Values.redfish.enabled (eq (empty .Values.redfish.existingSecret) (empty .Values.redfish.fileContent)) -}}
{{- fail "redfish.enabled: true needs the BMCs' credentials: either redfish.existingSecret or redfish.fileContent" -}}
{{- end -}}
{{- if and .Values.redfish.enabled .Values.nonRoot -}}
{{- fail "redfish.enabled with nonRoot: the credentials are readable to root alone" -}}
{{- end -}}
{{- if .Values.modelServer.enabled -}}
{{- if and .Values.modelServer.quarantine.enabled (not .Values.modelServer.existingSecret) -}}
{{- fail "modelServer.quarantine.enabled: recordings are taken only with a token: modelServer.existingSecret, a Secret with write-token and read-token" -}}
{{- end -}}
{{- if and .Values.modelServer.quarantine.enabled (gt (int .Values.modelServer.replicas) 1) -}}
{{- fail "modelServer.replicas: more than one would each have a quarantine of its own; use 1 with modelServer.quarantine.enabled" -}}
{{- end -}}
{{- end -}}
{{- if .Values.serve.enabled -}}
{{- $web := dig "web" dict .Values.serve.config -}}
{{- $known := $web.trusted_proxies -}}
{{- range $_, $team := $web.teams | default dict -}}
{{- $known = or $known $team.token_file $team.users -}}
{{- end -}}
{{- if not $known -}}
{{- fail "serve.enabled: the pages would be open to the cluster; give serve.config.web.teams tokens or users, or serve.config.web.trusted_proxies" -}}
{{- end -}}
{{- if not (or .Values.serve.bills.existingClaim $web.bills $web.totals) -}}
{{- fail "serve.enabled: no bill given. Set serve.bills.existingClaim, or serve.config.web.bills or totals" -}}
{{- end -}}
{{- if and .Values.serve.collect.enabled (not (dig "ledger" "prometheus_url" "" .Values.serve.config)) -}}
{{- fail "serve.collect.enabled: needs serve.config.ledger.prometheus_url, or serve.collect.enabled=false where another fills the ledger" -}}
{{- end -}}
{{- end -}}
{{- if .Values.scaler.enabled -}}
{{- if not (dig "ledger" "prometheus_url" "" .Values.scaler.config) -}}
{{- fail "scaler.enabled: needs scaler.config.ledger.prometheus_url, where demand is read" -}}
{{- end -}}
{{- if and .Values.scaler.example.enabled (not .Values.scaler.example.deployment) -}}
{{- fail "scaler.example.enabled: needs scaler.example.deployment, the Deployment to scale" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: one of the two; with both every agent is scraped twice, and sums are twice as high" -}}
{{- end -}}
{{- if and .Values.kubelet.allowNodesProxy (ne (include "wattribute.kube" .) "kubelet") -}}
{{- fail "kubelet.allowNodesProxy: true goes with config.workload.kube: kubelet only; nothing else needs the right to run commands in every pod" -}}
{{- end -}}
{{- end -}}
