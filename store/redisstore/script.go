package redisstore

import (
	"crypto/sha1" //nolint:gosec // the name that Redis gives a script, no secret
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"optimus/sandbox"
	"optimus/store"
)

//go:embed lua
var luaFiles embed.FS

// script is one transition, which the server runs as a whole or not at all.
type script struct {
	name, text, sha string
}

// scripts are all that there are, by the name of their file.
type scripts map[string]*script

// loadScripts reads the embedded scripts. The line "uses:" of a script names the libraries that stand
// before it, and words in capitals are the constants that Go and Lua share.
func loadScripts() (scripts, error) {
	files, err := luaFiles.ReadDir("lua")
	if err != nil {
		return nil, fmt.Errorf("read scripts: %w", err)
	}
	all, constants := scripts{}, luaConstants()
	for _, f := range files {
		name, isScript := strings.CutSuffix(f.Name(), ".lua")
		if !isScript {
			continue
		}
		text, err := luaFiles.ReadFile(path.Join("lua", f.Name()))
		if err != nil {
			return nil, fmt.Errorf("read scripts: %w", err)
		}
		whole, err := assemble(string(text), constants)
		if err != nil {
			return nil, fmt.Errorf("script %s: %w", name, err)
		}
		sum := sha1.Sum([]byte(whole)) //nolint:gosec // see above
		all[name] = &script{name: name, text: whole, sha: hex.EncodeToString(sum[:])}
	}
	return all, nil
}

func assemble(text string, constants map[string]string) (string, error) {
	var whole strings.Builder
	for line := range strings.Lines(text) {
		names, uses := strings.CutPrefix(line, "-- uses:")
		if !uses {
			continue
		}
		for _, name := range strings.Fields(names) {
			lib, err := luaFiles.ReadFile("lua/lib/" + name + ".lua")
			if err != nil {
				return "", fmt.Errorf("library: %w", err)
			}
			whole.Write(lib)
		}
	}
	whole.WriteString(text)
	code := regexp.MustCompile(`(?m)^\s*--.*\n`).ReplaceAllString(whole.String(), "")
	var unknown []string
	code = regexp.MustCompile(`\b[A-Z]+(_[A-Z0-9]+)+\b|\bPHASES\b|\bCOUNTERS\b`).ReplaceAllStringFunc(code, func(word string) string {
		value, ok := constants[word]
		if !ok {
			unknown = append(unknown, word)
		}
		return value
	})
	if unknown != nil {
		return "", fmt.Errorf("nobody knows %s", strings.Join(unknown, ", "))
	}
	return code, nil
}

const (
	// startBits leaves room for virtual starts below a priority, in the score of a head.
	startBits = 1 << 44
	// maxWatchers bounds the processes that are told of one job's events; the oldest go first.
	maxWatchers = 100
	// firstEvent is the data of a job's first event, which is told but not kept: see the package doc.
	firstEvent = `{"state":"queued"}`
)

// luaConstants are the words in capitals of the scripts.
func luaConstants() map[string]string {
	c := map[string]string{
		"MAX_CLOCK_STEP":      strconv.FormatInt(store.MaxClockStep.Microseconds(), 10),
		"MAX_ATTEMPT_RECORDS": strconv.Itoa(store.MaxAttemptRecords),
		"MAX_WATCHERS":        strconv.Itoa(maxWatchers),
		"START_BITS":          strconv.Itoa(startBits),
		"FIRST_EVENT":         strconv.Itoa(len(firstEvent)),
		"PHASES":              strconv.Itoa(len(phaseNames())),
		"COUNTERS":            strconv.Itoa(len(counterNames())),
		"CANCELLED_REPORT":    quoteLua(encodeReport(sandbox.Report{Verdict: sandbox.Cancelled, Tests: []sandbox.TestReport{}})),
	}
	for prefix, names := range map[string][]string{
		"R_": recordFields(), "A_": attemptFields(), "F_": figureFields(), "C_": phaseNames(), "N_": counterNames(),
	} {
		for i, name := range names {
			c[prefix+name] = strconv.Itoa(i + 1)
		}
	}
	// The report of a dead letter whose worker gave none, without its texts.
	const reason, worker = "@reason@", "@worker@"
	failed := string(encodeReport(sandbox.Report{
		Verdict: sandbox.InternalError, Tests: []sandbox.TestReport{}, Error: reason, Worker: worker,
	}))
	before, rest, _ := strings.Cut(failed, `"`+reason+`"`)
	between, after, _ := strings.Cut(rest, `"`+worker+`"`)
	for i, part := range []string{before, between, after} {
		c["FAILED_REPORT_"+strconv.Itoa(i+1)] = quoteLua([]byte(part))
	}
	return c
}

func quoteLua(text []byte) string { return "[==[" + string(text) + "]==]" }

func encodeReport(r sandbox.Report) []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // these reports hold nothing that JSON cannot
	}
	return b
}
