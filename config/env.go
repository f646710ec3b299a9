package config

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	envPrefix = "OPTIMUS_"
	// envConfig names the file to read.
	envConfig = "OPTIMUS_CONFIG"
	// envMirror is what the images' build has always read.
	envMirror = "OPTIMUS_DEBIAN_MIRROR"
)

// legacy reads the original's variables, and a short name for the mirror. An empty one counts as not set, as it did there.
func (l *loader) legacy() {
	if url := l.env["REDIS_URL"]; url != "" {
		l.set("environment", "environment REDIS_URL", "redis.url", url)
	}
	if port := l.env["PORT"]; port != "" {
		source := "environment PORT"
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			l.faults.add(place{source: source}, "server.listen", shown(node{kind: kindWord, text: port}),
				"is not a port", "must be a whole number from 1 to 65535")
		} else {
			host, _, _ := net.SplitHostPort(l.config.Server.Listen)
			l.set("environment", source, "server.listen", net.JoinHostPort(host, port))
		}
	}
	if mirror := l.env[envMirror]; mirror != "" {
		l.set("environment", "environment "+envMirror, "sandbox.debian_mirror", mirror)
	}
	l.milliseconds("DEFAULT_TIMEOUT_MS", "original.default_timeout")
	l.milliseconds("MAX_TIMEOUT_MS", "original.max_timeout")
}

func (l *loader) milliseconds(name, path string) {
	value := l.env[name]
	if value == "" {
		return
	}
	source := "environment " + name
	if _, err := strconv.ParseUint(value, 10, 31); err != nil {
		l.faults.add(place{source: source}, path, shown(node{kind: kindWord, text: value}),
			"is not a number of milliseconds", "must be a whole number such as 5000")
		return
	}
	l.set("environment", source, path, value+"ms")
}

// environment reads the OPTIMUS_ variables. A variable of that prefix that names no setting is a
// fault, but for those that Kubernetes makes for a service of such a name.
func (l *loader) environment() {
	byName := map[string]string{}
	for _, path := range paths() {
		byName[EnvName(path)] = path
	}
	var given []string
	for name := range l.env {
		if strings.HasPrefix(name, envPrefix) && name != envConfig && name != envMirror {
			given = append(given, name)
		}
	}
	slices.Sort(given)
	for _, name := range given {
		source := "environment " + name
		path, ok := byName[name]
		switch {
		case ok:
			l.set("environment", source, path, l.env[name])
		case slices.Contains(l.options.EnvKnown, name), isServiceLink(name, l.env[name]):
		default:
			l.faults.add(place{source: source}, "", "", "no setting has this name", unknownVariable(name))
		}
	}
}

// unknownVariable says what to do about a variable that names no setting.
func unknownVariable(name string) string {
	rest := strings.TrimPrefix(name, envPrefix)
	if strings.HasPrefix(rest, "KEYS") {
		return "API keys are stated in a file"
	}
	var known []string
	for _, path := range paths() {
		known = append(known, strings.TrimPrefix(EnvName(path), envPrefix))
	}
	slices.Sort(known)
	if near := Nearest(rest, known); near != "" {
		return "did you mean " + envPrefix + near + "?"
	}
	return "`optimus admin config show` lists the settings"
}

// isServiceLink tells a variable that Kubernetes puts into every pod for each service near it:
// OPTIMUS_SERVICE_HOST, OPTIMUS_API_PORT=tcp://…, OPTIMUS_API_PORT_8080_TCP_ADDR.
func isServiceLink(name, value string) bool {
	if strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://") {
		return true
	}
	return regexp.MustCompile(`_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`).MatchString(name)
}
