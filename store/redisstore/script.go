package redisstore

import (
	"crypto/sha1" //nolint:gosec // the name that Redis gives a script, no secret
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"optimus/sandbox"
	"optimus/store"
)

//go:embed lua
var luaFiles embed.FS

// script is one transition, which the server runs as a whole or not at all.
type script struct {
	name, text, sha string
	// merges: it takes several calls at once, see lua/lib/many.lua; shared is how many arguments these share,
	// at least.
	merges bool
	shared int
}

// scripts are all that there are, by the name of their file.
type scripts map[string]*script

// loadScripts gives the scripts, which are the same for every store.
var loadScripts = sync.OnceValues(func() (scripts, error) { return readScripts(len(migrations())) }) //nolint:gochecknoglobals // made once of what is embedded, and never changed

// scriptsFor gives the scripts of a binary that knows so many schemas.
func scriptsFor(known int) (scripts, error) {
	if known == len(migrations()) {
		return loadScripts()
	}
	return readScripts(known)
}

// readScripts reads the embedded scripts. The line "uses:" of a script names the libraries that stand
// before it, and words in capitals are the constants that Go and Lua share.
func readScripts(known int) (scripts, error) {
	files, err := luaFiles.ReadDir("lua")
	if err != nil {
		return nil, fmt.Errorf("read scripts: %w", err)
	}
	all, constants := scripts{}, luaConstants(known)
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
		sc := &script{name: name, text: whole, sha: hex.EncodeToString(sum[:]), shared: commonArgs}
		if more := regexp.MustCompile(`return many\((\d+),`).FindStringSubmatch(whole); more != nil {
			n, err := strconv.Atoi(more[1])
			if err != nil {
				return nil, fmt.Errorf("script %s: %w", name, err)
			}
			sc.merges, sc.shared = true, sc.shared+n
		}
		all[name] = sc
	}
	return all, nil
}

// assemble puts before a script what it needs of its libraries, and the constants into both.
func assemble(text string, constants map[string]string) (string, error) {
	var parts []string
	for line := range strings.Lines(text) {
		names, uses := strings.CutPrefix(line, "-- uses:")
		if !uses {
			continue
		}
		for name := range strings.FieldsSeq(names) {
			lib, err := luaFiles.ReadFile("lua/lib/" + name + ".lua")
			if err != nil {
				return "", fmt.Errorf("library: %w", err)
			}
			parts = append(parts, libraryParts(string(lib))...)
		}
	}
	code := needed(parts, withoutComments(text))
	var unknown []string
	code = regexp.MustCompile(`\b[A-Z]+(_[A-Z0-9]+)+\b|\bFIGURES\b|\bCOUNTERS\b`).ReplaceAllStringFunc(code, func(word string) string {
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

func withoutComments(text string) string {
	return regexp.MustCompile(`(?m)^\s*--.*\n`).ReplaceAllString(text, "")
}

// libraryParts are what a library declares at its outermost level, each with what belongs to it.
func libraryParts(lib string) (parts []string) {
	for line := range strings.Lines(withoutComments(lib)) {
		if strings.HasPrefix(line, "local ") || len(parts) == 0 {
			parts = append(parts, "")
		}
		parts[len(parts)-1] += line
	}
	return parts
}

// needed puts before the code those of the parts that it names, and that these name: to declare a function
// takes the server time in every call.
func needed(parts []string, code string) string {
	declares := regexp.MustCompile(`^local (?:function )?(\w+)`)
	for _, part := range slices.Backward(parts) {
		name := declares.FindStringSubmatch(part)
		if name == nil || regexp.MustCompile(`\b`+name[1]+`\b`).MatchString(code) {
			code = part + code
		}
	}
	return code
}

const (
	// startBits leaves room for virtual starts below a priority, in the score of a head.
	startBits = 1 << 44
	// maxWatchers bounds the processes that are told of one job's events; the oldest go first.
	maxWatchers = 100
	// maxStatesBytes bounds the events that a job's record holds; more go to its stream.
	maxStatesBytes = 1000
	// maxMoved bounds the heads that one run puts right of a claim.
	maxMoved = 100
	// maxArguments bounds what a script gathers for one command: Lua takes 8,000.
	maxArguments = 1000
	// clusterMark ends the names of processes that listen to a Cluster.
	clusterMark = "."
	// firstEvent is the data of a job's first event, which is told but not kept: see the package doc.
	firstEvent = `{"state":"queued"}`
)

// luaConstants are the words in capitals of the scripts.
func luaConstants(known int) map[string]string {
	counts, totals, current, all := figuresLayout()
	c := map[string]string{
		"SCHEMA_KNOWN":        strconv.Itoa(known),
		"MAX_CLOCK_STEP":      strconv.FormatInt(store.MaxClockStep.Microseconds(), 10),
		"MAX_ATTEMPT_RECORDS": strconv.Itoa(store.MaxAttemptRecords),
		"MAX_WATCHERS":        strconv.Itoa(maxWatchers),
		"MAX_STATES_BYTES":    strconv.Itoa(maxStatesBytes),
		"MAX_ARGUMENTS":       strconv.Itoa(maxArguments),
		"MAX_MOVED":           strconv.Itoa(maxMoved),
		"CLUSTER_MARK":        quoteLua([]byte(clusterMark)),
		"START_BITS":          strconv.Itoa(startBits),
		"FIRST_EVENT":         strconv.Itoa(len(firstEvent)),
		"FIGURES":             strconv.Itoa(all),
		"FIGURES_FORMAT":      "'>" + strings.Repeat("d", all) + "'",
		"F_COUNTS":            strconv.Itoa(counts),
		"F_TOTALS":            strconv.Itoa(totals),
		"F_CURRENT":           strconv.Itoa(current),
		"COUNTERS":            strconv.Itoa(len(counterNames())),
		"QUEUE_PAUSED":        strconv.Itoa(slices.Index(queueStates(), store.QueuePaused)),
		"QUEUE_DRAINING":      strconv.Itoa(slices.Index(queueStates(), store.QueueDraining)),
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
