{{- define "lrs.name" -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}-lrs{{- end }}
{{- define "lrs.labels" -}}
app.kubernetes.io/name: concord-lrs
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "lrs.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
envFrom:
  - configMapRef: {name: {{ include "lrs.name" . }}}
  {{- range .Values.secretNames }}
  - secretRef: {name: {{ . }}}
  {{- end }}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: tmp, mountPath: /tmp}
{{- end }}
