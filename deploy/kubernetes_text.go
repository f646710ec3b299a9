package deploy

import "time"

// What the templates ask for beside the fields.

// Secret is the name of the Secret with everything that must not be rendered.
func (*manifests) Secret() string { return secretName }

// SecretDir is where the Secret is in a pod, ConfigDir where the ConfigMap is.
func (*manifests) SecretDir() string { return secretDir }

// ConfigDir is where the ConfigMap is in a pod.
func (*manifests) ConfigDir() string { return configDir }

// SleepSeconds is how long a pod of the API goes on after it was told to stop.
func (*manifests) SleepSeconds() int64 { return seconds(sleepBeforeStop) }

// StorageMiB is the size of Redis's volume.
func (m *manifests) StorageMiB() int64 { return mib(m.Redis.Storage) }

// Duration words a duration for people.
func (*manifests) Duration(d time.Duration) string { return d.Round(time.Second).String() }

// Accounts lists who the pods are.
func (m *manifests) Accounts() []string {
	accounts := []string{"optimus-api", "optimus-worker"}
	if m.Store.Own {
		accounts = append(accounts, "optimus-redis")
	}
	return accounts
}

// TriggerSecrets lists what KEDA is told of the Secret: its name for it, and the entry.
func (m *manifests) TriggerSecrets() [][2]string {
	names := map[string]string{
		entryPassword: "password", entrySentinel: "sentinelPassword", entryCA: "ca", entryCert: "cert", entryKey: "key",
	}
	var list [][2]string
	for _, entry := range m.Store.Entries() {
		list = append(list, [2]string{names[entry], entry})
	}
	return list
}

// SecretLines are the arguments by which kubectl makes the Secret.
func (m *manifests) SecretLines() []string {
	const random = `="$(openssl rand -hex 24)"`
	var lines []string
	for _, entry := range m.Store.Entries() {
		if m.Store.Own {
			lines = append(lines, "--from-literal="+entry+random)
		} else {
			lines = append(lines, "--from-file="+entry+"=FILE")
		}
	}
	for _, k := range m.Keys {
		lines = append(lines, "--from-literal="+k.Entry+random)
	}
	for i := range lines[:len(lines)-1] {
		lines[i] += ` \`
	}
	return lines
}
