package web

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// query is embedded by the input of every operation. It refuses query parameters that the
// operation does not know, as the library would too, but beside the faults of the others.
type query struct{}

// Resolve implements [huma.Resolver].
func (query) Resolve(ctx huma.Context) []error { return errorsOf(unknownQuery(ctx)) }

func unknownQuery(ctx huma.Context) (faults []Fault) {
	u := ctx.URL()
	given, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		faults = append(faults, Fault{Parameter: "query", Detail: fmt.Sprintf("cannot be read: %v", err)})
	}
	for name, values := range given {
		known := slices.ContainsFunc(ctx.Operation().Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name })
		switch {
		case !known:
			faults = append(faults, Fault{Parameter: "query." + name, Detail: "unknown query parameter"})
		case len(values) > 1:
			faults = append(faults, Fault{Parameter: "query." + name, Detail: "is given more than once; several values are separated by commas where they are allowed"})
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Parameter, b.Parameter) })
	return faults[:min(len(faults), maxFaults)]
}

func errorsOf(faults []Fault) []error {
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = &huma.ErrorDetail{Location: f.Parameter, Message: f.Detail}
	}
	return errs
}

// parseWait reads a duration, or a whole number of seconds; most bounds it.
func parseWait(text string, most time.Duration) (time.Duration, []Fault) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if seconds, e := strconv.ParseUint(text, 10, 16); e == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || d < 0 || d > most {
		return 0, []Fault{{Parameter: "query.wait", Detail: fmt.Sprintf("must be a time such as 10s or 500ms, of at most %s", most)}}
	}
	return d, nil
}

func checkInclude(text string) []Fault {
	if text == "" || text == includeSubmission {
		return nil
	}
	return []Fault{{Parameter: "query.include", Detail: "is not allowed; allowed is " + includeSubmission}}
}

// maxKey bounds an idempotency key, in characters.
const maxKey = 255

// checkKey refuses Idempotency-Key headers that are not one of 1 to most visible ASCII characters.
func checkKey(given []string, most int) []Fault {
	detail := ""
	switch {
	case len(given) > 1:
		detail = "is given more than once"
	case len(given) == 1 && !validKey(given[0], most):
		detail = fmt.Sprintf("must be 1 to %d visible ASCII characters", most)
	default:
		return nil
	}
	return []Fault{{Parameter: "header." + keyHeader, Detail: detail}}
}

const keyHeader = "Idempotency-Key"

func validKey(key string, most int) bool {
	invisible := func(r rune) bool { return r < ' ' || r > '~' }
	return key != "" && len(key) <= most && !strings.ContainsFunc(key, invisible)
}
