package web

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"optimus/store"
)

// Role is what an API key may do.
type Role string

// The roles.
const (
	// RoleSubmit may submit jobs, and read, cancel and delete those of its own tenant.
	RoleSubmit Role = "submit"
	// RoleRead may read the jobs of its own tenant, and languages, queues and workers.
	RoleRead Role = "read"
	// RoleAdmin may do everything, for every tenant.
	RoleAdmin Role = "admin"
)

// rolePublic marks a route that needs no key.
const rolePublic Role = ""

// Roles lists the roles.
func Roles() []Role { return []Role{RoleSubmit, RoleRead, RoleAdmin} }

// Key is an API key. The key itself is never kept, only its hash.
type Key struct {
	// Name is the tenant that the key's jobs belong to. Two keys may share it, for a change of keys.
	Name string
	// Hash is the SHA-256 of the key, in hexadecimal.
	Hash string
	// Roles are what the key may do, at least one.
	Roles []Role
	// PerMinute is how many requests it may make in a minute, and at once after a pause; 0 is no bound.
	PerMinute int
}

// principal is who makes a request.
type principal struct {
	// name is the tenant; empty without keys.
	name    string
	hash    [sha256.Size]byte
	roles   []Role
	limiter *rate.Limiter
	// expires is when its key holds no more; zero is never.
	expires time.Time
}

func (p *principal) admin() bool { return slices.Contains(p.roles, RoleAdmin) }

// may tells whether a role is held, or implied by another that is.
func (p *principal) may(role Role) bool {
	switch {
	case role == rolePublic, p.admin():
		return true
	case role == RoleRead:
		return slices.Contains(p.roles, RoleRead) || slices.Contains(p.roles, RoleSubmit)
	default:
		return slices.Contains(p.roles, role)
	}
}

// sees tells whether a tenant's job may be seen.
func (p *principal) sees(tenant string) bool { return p.admin() || p.name == tenant }

func newPrincipal(k Key) (*principal, error) {
	p := &principal{name: k.Name, roles: k.Roles}
	digest, err := hex.DecodeString(k.Hash)
	switch {
	case k.Name == "" || len(k.Name) > store.MaxName:
		return nil, fmt.Errorf("has no name of 1 to %d bytes", store.MaxName)
	case err != nil || len(digest) != sha256.Size:
		return nil, errors.New("its hash is not a SHA-256 in 64 hexadecimal digits")
	case len(k.Roles) == 0:
		return nil, errors.New("has no role; allowed are submit, read, admin")
	case k.PerMinute < 0:
		return nil, errors.New("its rate is below 0")
	}
	for _, r := range k.Roles {
		if !slices.Contains(Roles(), r) {
			return nil, fmt.Errorf("unknown role %q; allowed are submit, read, admin", r)
		}
	}
	copy(p.hash[:], digest)
	p.limiter = limiter(k.PerMinute)
	return p, nil
}

// limiter lets so many requests through in a minute, and at once after a pause; nil is no bound.
func limiter(perMinute int) *rate.Limiter {
	if perMinute <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)
}

func keyOf(c echo.Context) string {
	h := c.Request().Header
	if key := h.Get("X-Api-Key"); key != "" {
		return key
	}
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// guard lets through who may use the route: a known key that holds the route's role and has not
// spent its rate.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := requestOf(c.Request().Context())
		role, known := s.roles[routeKey(c.Request().Method, c.Path())]
		if !known || role == rolePublic {
			r.who = s.keys.open
			if !s.keys.isOpen() {
				r.who = &principal{}
			}
			return next(c)
		}
		who := s.keys.identify(c)
		if who == nil {
			return newProblem(codeUnauthorized, "send a key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'").
				withHeader("Www-Authenticate", `Bearer realm="optimus"`)
		}
		if !who.expires.IsZero() && !s.opts.Now().Before(who.expires) {
			return newProblem(codeUnauthorized, "this key expired at %s; ask for a new one", who.expires.Format(time.RFC3339)).
				withHeader("Www-Authenticate", `Bearer realm="optimus", error="invalid_token"`)
		}
		r.who = who
		if err := s.origin.Check(c.Request()); err != nil && who == s.keys.open {
			// Without keys, being on this machine is the right to act; a web page that its user
			// happens to visit must not borrow it. A key cannot be borrowed so.
			return newProblem(codeForbidden, "a web page of another origin may not do this; configure an API key for it")
		}
		if host := c.Request().Host; who == s.keys.open && !isOwnName(host) && !bySocket(c.Request()) {
			return newProblem(codeForbidden, "without a key this server is asked by its address or as localhost, "+
				"not as %q; configure an API key for it", host)
		}
		if wait := s.reserve(who); wait > 0 {
			return newProblem(codeRateLimited, "%d requests a minute are allowed here; try again in %s",
				who.limiter.Burst(), wait.Round(time.Millisecond)).retryAfter(wait)
		}
		if !who.may(role) {
			return newProblem(codeForbidden, "this needs a key with the role %q", role)
		}
		return next(c)
	}
}

// isOwnName tells whether a request's Host is an address, or a name that is always this machine's. Another
// name's owner may let it lead here after a browser has loaded their page by it, which is then of one origin
// with this server (DNS rebinding).
func isOwnName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true // no browser leaves the name out
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

// bySocket tells whether a request came by a unix socket, to which no name leads.
func bySocket(r *http.Request) bool {
	_, ok := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr)
	return ok
}

// reserve takes a request from the rate, or tells how long to wait for one.
func (s *Server) reserve(who *principal) time.Duration {
	if who.limiter == nil {
		return 0
	}
	now := s.opts.Now()
	if who.limiter.AllowN(now, 1) {
		return 0
	}
	r := who.limiter.ReserveN(now, 1)
	defer r.CancelAt(now)
	return max(r.DelayFrom(now), time.Millisecond)
}

func routeKey(method, path string) string { return method + " " + path }
