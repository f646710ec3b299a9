package config

import (
	"net"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// form is a named shape of a text, which a field asks for by its tag `is`. An empty text passes
// but for a required field: it means "not stated".
type form struct {
	name string
	// allowed says in words what passes.
	allowed string
	ok      func(string) bool
}

func formOf(name string) form {
	all := forms()
	i := slices.IndexFunc(all, func(f form) bool { return f.name == name })
	return all[i] // a test walks every tag, so that a misspelt name cannot stay
}

func forms() []form {
	return []form{
		{"address", `HOST:PORT, such as "127.0.0.1:8080", "[::1]:8080" or ":8080"`, isAddress},
		{"folder", "an absolute path", filepath.IsAbs},
		{"file", "an absolute path", filepath.IsAbs},
		{"host-port", `HOST:PORT, such as "redis-1:6379"`, isHostPort},
		{"redis-url", "a URL that begins with redis://, rediss:// or unix://", isRedisURL},
		{"http-url", "a URL that begins with http:// or https://", isHTTPURL},
		{"containerd", `"auto", "private" or the absolute path of a socket`, isContainerd},
		{"name", "a lower-case name of at most 63 letters, digits and . _ + -", isName},
		{"label", "a name of at most 63 letters, digits and . _ -", matches(`^[A-Za-z0-9._-]{1,63}$`)},
		{"cgroup", `a plain path of names, such as "optimus" or "/system.slice/optimus"`, isCgroup},
		{"sha256", "64 hexadecimal digits", matches(`^[0-9a-f]{64}$`)},
		{"image", `an image reference with its registry, such as "docker.io/library/python:3.13"`, isImage},
		{"source-file", `a plain file name, such as "main.py"`, matches(`^[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}$`)},
		{"version", `digits and words separated by dots, such as "3.13.5"`, matches(`^[0-9A-Za-z][0-9A-Za-z.+~-]{0,39}$`)},
		{"packages", "a Debian package's name", matches(`^[a-z0-9][a-z0-9+.-]{1,99}$`)},
		{"suite", `a Debian suite, such as "trixie"`, matches(`^[a-z][a-z0-9-]{1,30}$`)},
		{"quantity", `a Kubernetes quantity, such as "500m" or "1Gi"`, matches(`^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$`)},
		{"queue-number", `NAME=NUMBER with a number from 1 to 65535, such as "python=2"`, isQueueNumber},
		{"object", "at most 40 lower-case letters, digits and -, a letter first and no - at the end", matches(`^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$`)},
		{"host", `a host's name, such as "judge.example.org"`, matches(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)},
		{"port", "a port from 1 to 65535", isPort},
		{"runtime", `a containerd runtime, such as "io.containerd.runc.v2"`, matches(`^[a-z0-9]+(\.[a-z0-9-]+)+$`)},
	}
}

// matches compiles the pattern only when it is asked for: most are not, in most runs.
func matches(pattern string) func(string) bool {
	return func(s string) bool { return regexp.MustCompile(pattern).MatchString(s) }
}

func isName(s string) bool { return matches(`^[a-z0-9][a-z0-9._+-]{0,62}$`)(s) }

func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || strings.ContainsAny(host, " /@") {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == port
}

func isHostPort(s string) bool {
	host, _, _ := net.SplitHostPort(s)
	return host != "" && isAddress(s)
}

func isQueueNumber(s string) bool {
	_, _, ok := splitQueueNumber(s)
	return ok
}

func isPort(s string) bool { return isHostPort("host:"+s) && s != "0" }

func isContainerd(s string) bool {
	return s == "auto" || s == "private" || filepath.IsAbs(s) && path.Clean(s) == s
}

func isRedisURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "redis", "rediss":
		return u.Host != ""
	case "unix":
		return u.Path != ""
	}
	return false
}

func isHTTPURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func isCgroup(s string) bool {
	rest := strings.TrimPrefix(s, "/")
	return path.Clean(rest) == rest && !slices.Contains(strings.Split(rest, "/"), "..") &&
		matches(`^[A-Za-z0-9._:@/-]+$`)(rest) && rest != "."
}

// isImage accepts what containerd does: a registry's name first, then path, tag and digest.
func isImage(s string) bool {
	registry, _, _ := strings.Cut(s, "/")
	if !strings.ContainsAny(registry, ".:") && registry != "localhost" {
		return false
	}
	return matches(`^[a-z0-9]+([.-][a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+`+
		`(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)(s) && len(s) <= 255
}
