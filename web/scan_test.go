package web

import (
	"encoding/json"
	"testing"

	"github.com/labstack/echo/v4"
)

// FuzzScan looks for a text that the scanner takes, though it is no JSON or cannot be decoded.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"language":"python","source_code":"x"}`,
		`{"language":"a","files":[{"name":"b","content":"c"}],"tests":[{"weight":1.5e0,"limits":{"cpu_ms":9}}],"labels":{"k":"v"}}`,
		`{"language":"\u00e9\ud83d\ude00","source_code":"\\\/\b","priority":-0,"args":["",null]}`,
		`{"language":"a","source_code":null,"checker":{"kind":"float","absolute":1E-9}}`,
		` [1, 2.0e+1, true, false, null, {"a":{}} ] `, `{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", `01`, `-`, `{,}`,
	} {
		f.Add([]byte(seed))
	}
	known := newSchemas(newAPI(echo.New(), "test"), DefaultLimits())
	f.Fuzz(func(t *testing.T, data []byte) {
		faults := &faults{}
		err := scanJSON(data, known.job, known.registry, 32, faults)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("taken as JSON: %q", data)
		}
		var req JobRequest
		if err := json.Unmarshal(data, &req); err != nil && faults.problem() == nil {
			t.Fatalf("no fault found in %q, but: %v", data, err)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	known := newSchemas(newAPI(echo.New(), "test"), DefaultLimits())
	body := []byte(`{"language":"python","source_code":"print(input())","tests":[{"input":"7\n","expected_output":"7\n"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := scanJSON(body, known.job, known.registry, 32, &faults{}); err != nil {
			b.Fatal(err)
		}
	}
}
