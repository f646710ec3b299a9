package modes

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// seenSpan is a span as a collector got it.
type seenSpan struct {
	trace, id, parent, name, service string
	start, end                       uint64
	failed                           bool
	attributes                       map[string]string
}

// spans is a collector of OpenTelemetry spans.
type spans struct {
	url     string
	mu      sync.Mutex
	all     []seenSpan
	refuses int // the status that it answers instead of taking spans; 0 is none
}

func collectSpans(t *testing.T) *spans {
	t.Helper()
	s := &spans{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		raw, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(raw, &request)
		}
		if err != nil || s.refuses != 0 || r.URL.Path != "/v1/traces" {
			http.Error(w, fmt.Sprint(err), cmp.Or(s.refuses, http.StatusBadRequest))
			return
		}
		s.add(&request)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *spans) add(request *collector.ExportTraceServiceRequest) {
	for _, r := range request.GetResourceSpans() {
		of := attributesOf(r.GetResource().GetAttributes())
		for _, scope := range r.GetScopeSpans() {
			for _, x := range scope.GetSpans() {
				s.all = append(s.all, seenSpan{
					trace: hex.EncodeToString(x.GetTraceId()), id: hex.EncodeToString(x.GetSpanId()), parent: hex.EncodeToString(x.GetParentSpanId()),
					name: x.GetName(), service: of["service.name"] + " " + of["service.version"], start: x.GetStartTimeUnixNano(), end: x.GetEndTimeUnixNano(),
					failed: x.GetStatus().GetCode() == 2, attributes: attributesOf(x.GetAttributes()),
				})
			}
		}
	}
}

func attributesOf(list []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			all[a.GetKey()] = fmt.Sprint(v.IntValue)
		}
	}
	return all
}

// tree draws the spans, each as its name, its test and its verdict, those below it indented.
func (s *spans) tree(parent string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var draw func(parent, indent string) string
	draw = func(parent, indent string) string {
		var lines []string
		for _, x := range s.all {
			if x.parent != parent {
				continue
			}
			words := []string{indent + x.name}
			for _, name := range []string{"optimus.test", "optimus.verdict", "optimus.end"} {
				if v := x.attributes[name]; v != "" {
					words = append(words, v)
				}
			}
			if x.failed {
				words = append(words, "failed")
			}
			lines = append(lines, strings.Join(words, " ")+"\n"+draw(x.id, indent+"  "))
		}
		slices.Sort(lines)
		return strings.Join(lines, "")
	}
	return draw(parent, "")
}
