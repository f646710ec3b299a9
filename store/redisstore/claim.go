package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// turns are when each queue was last claimed from, to be fair between queues.
type turns struct {
	mu sync.Mutex
	n  uint64
	at map[uint16]uint64
}

func (t *turns) take(queue uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	t.at[queue] = t.n
}

// before tells whether it is rather a's turn than b's.
func (t *turns) before(a, b uint16) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at[a] != t.at[b] {
		return t.at[a] < t.at[b]
	}
	return a < b
}

// Claim leases up to r.Max jobs, best first: of the highest priority among the queues' heads, in turn
// between queues whose heads are equal.
func (s *Store) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claim, error) {
	if r.Max < 1 || r.Lease <= 0 || !store.ValidName(r.Worker) {
		return nil, fmt.Errorf("claim: %w: worker %.40q wants %d jobs for %s", store.ErrInvalid, r.Worker, r.Max, r.Lease)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	queues := s.queues.named(r.Queues)
	if len(r.Lanes) == 0 || len(queues) == 0 {
		return nil, nil
	}
	if len(queues) == 1 {
		claims, _, err := s.claimFrom(ctx, queues[0], r, r.Max, store.MinPriority, false)
		return claims, err
	}
	heads, err := s.heads(ctx, queues, r)
	if err != nil {
		return nil, err
	}
	var claims []store.Claim
	for len(claims) < r.Max && len(heads) > 0 {
		queue, most, least := s.nextQueue(heads, r.Max-len(claims))
		more, next, err := s.claimFrom(ctx, queue, r, most, least, true)
		if err != nil {
			if len(claims) > 0 {
				return claims, nil // what is claimed must not be forgotten
			}
			return nil, err
		}
		s.turns.take(queue)
		claims = append(claims, more...)
		delete(heads, queue)
		if next != noHead && len(more) > 0 {
			heads[queue] = next
		}
	}
	return claims, nil
}

// noHead is the priority of a queue that has no job for the claim.
const noHead = math.MinInt

// heads gives the priority of each queue's best job, of those that have one.
func (s *Store) heads(ctx context.Context, queues []uint16, r store.ClaimRequest) (map[uint16]int, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	heads := map[uint16]int{}
	var failed error
	for _, q := range queues {
		wg.Go(func() {
			_, next, err := s.claimFrom(ctx, q, r, 0, store.MinPriority, true)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
			} else if _, there := s.given.take(claimant{q, r.Worker}, 0); next != noHead || there {
				heads[q] = max(next, store.MinPriority)
			}
		})
	}
	wg.Wait()
	if len(heads) > 0 {
		return heads, nil // a Cluster's other masters do not wait for one that is gone
	}
	return heads, failed
}

// nextQueue says where to claim, how many at once at most, and of which priority at least, so that what
// is claimed is what one by one would be.
func (s *Store) nextQueue(heads map[uint16]int, most int) (queue uint16, n, least int) {
	best, second := noHead, noHead
	for q, p := range heads {
		switch {
		case p > best || p == best && s.turns.before(q, queue):
			queue, best, second = q, p, max(best, second)
		default:
			second = max(second, p)
		}
	}
	if second == noHead {
		return queue, most, store.MinPriority
	}
	if second == best {
		return queue, 1, best
	}
	return queue, most, second + 1
}

// claimFrom leases jobs of one queue, and says, where that matters, of which priority the best one is that
// is left.
func (s *Store) claimFrom(ctx context.Context, queue uint16, r store.ClaimRequest, most, least int, matters bool) ([]store.Claim, int, error) {
	var claims []store.Claim
	for {
		list, err := s.claimOnce(ctx, queue, r, most-len(claims), least, matters)
		if err != nil && len(claims) > 0 {
			return claims, noHead, nil // what is claimed must not be forgotten
		}
		if err != nil || textAt(list, 0) == "missing" {
			return nil, noHead, err
		}
		next := noHead
		if text := textAt(list, 1); text != "" {
			if next, err = strconv.Atoi(text); err != nil {
				return claims, noHead, fmt.Errorf("claim: %w: priority %q", store.ErrSchema, text)
			}
		}
		more, err := s.claimsOf(list)
		claims = append(claims, more...)
		if err != nil || textAt(list, 0) != "more" || most > 0 && len(claims) == most {
			return claims, next, err
		}
	}
}

// claimOnce runs the script.
func (s *Store) claimOnce(ctx context.Context, queue uint16, r store.ClaimRequest, most, least int, matters bool) ([]any, error) {
	by := claimant{queue, r.Worker}
	first, before := 1+rand.Uint64N(1<<53-1<<20), false //nolint:gosec // distinct, not secret
	if given, there := s.given.take(by, most); there {
		first, before = given, true
	}
	args := []any{
		r.Worker, s.process, most, r.Lease.Microseconds(), strconv.FormatUint(first, 10), least, s.o.BackoffMax.Microseconds(), "", flag(matters),
	}
	named := map[store.Lane]bool{}
	for _, l := range r.Lanes {
		if !named[l] {
			named[l] = true
			args = append(args, laneText(l))
		}
	}
	list, err := s.runQueue(ctx, "claim", queue, s.queueCall("claim", queue, 7, args...), before)
	if err != nil && most > 0 {
		s.given.note(by, first)
	}
	return list, err
}

// claimant is a worker that claims from a queue.
type claimant struct {
	queue  uint16
	worker string
}

// given are the first tokens of claims whose answers were lost: what they were given the next claim of the same
// worker gets, which else nobody would know of until its lease runs out.
type given struct {
	mu     sync.Mutex
	tokens map[claimant]uint64
}

// take gives it to a claim of most jobs: one of none only looks.
func (g *given) take(by claimant, most int) (first uint64, there bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	first, there = g.tokens[by]
	if most > 0 {
		delete(g.tokens, by)
	}
	return first, there
}

func (g *given) note(by claimant, first uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.tokens) < maxUnsure {
		g.tokens[by] = first
	}
}

// claimsOf reads the jobs of a claim's answer.
func (s *Store) claimsOf(list []any) ([]store.Claim, error) {
	var claims []store.Claim
	for i := 2; i+3 < len(list); i += 4 {
		r, err := s.jobAt(list, i)
		if err != nil {
			return nil, err
		}
		job, err := r.whole(textAt(list, i+2), "")
		if err != nil {
			return nil, err
		}
		claims = append(claims, store.Claim{
			Lease: store.Lease{Job: job.ID, Token: r.token}, Job: job,
			Waited: time.Duration(numberAt(list, i+3)) * time.Microsecond,
		})
	}
	return claims, nil
}

// jobAt reads an id and its record.
func (s *Store) jobAt(list []any, i int) (*record, error) {
	id, err := store.ParseID(textAt(list, i))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrSchema, err)
	}
	return s.decodeRecord(id, textAt(list, i+1))
}

// Renew extends leases by lease from now.
func (s *Store) Renew(ctx context.Context, leases []store.Lease, lease time.Duration) ([]store.Renewal, error) {
	if lease <= 0 {
		return nil, fmt.Errorf("renew: %w: a lease of %s", store.ErrInvalid, lease)
	}
	places := map[uint16][]int{}
	for i, l := range leases {
		places[l.Job.Queue()] = append(places[l.Job.Queue()], i)
	}
	renewals := make([]store.Renewal, len(leases))
	for queue, at := range places {
		args := []any{lease.Microseconds()}
		for _, i := range at {
			args = append(args, leases[i].Job.String(), tokenText(leases[i]))
		}
		list, err := s.runQueue(ctx, "renew", queue, s.queueCall("renew", queue, -1, args...), false)
		if err != nil {
			return nil, err
		}
		for k, i := range at {
			said := int64(2)
			if k < len(list) {
				said = numberAt(list, k)
			}
			renewals[i] = store.Renewal{Lost: said == 2, CancelRequested: said == 1}
		}
	}
	return renewals, nil
}

func tokenText(l store.Lease) string { return strconv.FormatUint(l.Token, 10) }

// unsure are the calls that ended leases, or may have: their answers were lost. The same call, made
// again, is told from another one that comes too late.
type unsure struct {
	mu    sync.Mutex
	calls map[store.Lease]string
}

// maxUnsure bounds what is remembered.
const maxUnsure = 10_000

func (u *unsure) is(l store.Lease, mark string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.calls[l] == mark
}

// note remembers a call, or forgets it once its answer is known.
func (u *unsure) note(l store.Lease, mark string, err error) {
	known := err == nil || errors.Is(err, store.ErrLeaseLost)
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case known && u.calls[l] == mark:
		delete(u.calls, l)
	case !known && len(u.calls) < maxUnsure:
		u.calls[l] = mark
	}
}

// markBytes is the length of a call's mark, which a job's record keeps: only calls for one job are told apart.
const markBytes = 6

// markOf names a call by what it says.
func markOf(parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		switch p := p.(type) {
		case []byte:
			_, _ = fmt.Fprintf(h, "%d:", len(p))
			_, _ = h.Write(p)
		default:
			_, _ = fmt.Fprintf(h, "%v,", p)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:markBytes])
}

// endCall runs a call that ends a lease, so that it does so once however often it is sent.
func (s *Store) endCall(ctx context.Context, doing string, l store.Lease, mark string, c *call) ([]any, error) {
	c.acknowledged = true
	list, err := s.runQueue(ctx, doing, l.Job.Queue(), c, s.unsure.is(l, mark))
	if err == nil && textAt(list, 0) != "ok" {
		err = fmt.Errorf("job %s: %w", l.Job, store.ErrLeaseLost)
	}
	s.unsure.note(l, mark, err)
	return list, err
}

// Finish stores the report and ends the job, after the last of its events.
func (s *Store) Finish(ctx context.Context, l store.Lease, report sandbox.Report, events ...store.Event) error {
	raw, err := s.o.EncodeReport(report)
	if err != nil {
		return err
	}
	pairs, err := eventArgs(events)
	if err != nil {
		return fmt.Errorf("finish job %s: %w", l.Job, err)
	}
	mark := markOf(append([]any{"finish", l.Token, raw}, pairs...)...)
	args := append([]any{l.Job.String(), tokenText(l), string(report.Verdict), raw, mark, "", flag(s.o.Ended != nil)}, pairs...)
	list, err := s.endCall(ctx, "finish", l, mark, s.queueCall("finish", l.Job.Queue(), 5, args...))
	if err != nil {
		return err
	}
	return s.tellEnded(l.Job, textAt(list, 1))
}

// tellEnded tells of a job that an operation of this store has ended; an empty record is none.
func (s *Store) tellEnded(id store.ID, raw string) error {
	if raw == "" || s.o.Ended == nil {
		return nil
	}
	r, err := s.decodeRecord(id, raw)
	if err == nil {
		s.o.Ended(r.job)
	}
	return err
}

// GiveBack ends the attempt without a report.
func (s *Store) GiveBack(ctx context.Context, l store.Lease, g store.GiveBack) error {
	verdict, raw, err := s.o.EncodeGiveBack(g)
	if err != nil {
		return err
	}
	counted := "0"
	if g.Counted {
		counted = "1"
	}
	mark := markOf("give back", l.Token, counted, []byte(g.Reason), raw)
	list, err := s.endCall(ctx, "give back", l, mark, s.queueCall("giveback", l.Job.Queue(), 11, l.Job.String(), tokenText(l),
		counted, g.Reason, string(verdict), raw, s.o.BackoffBase.Microseconds(), s.o.BackoffMax.Microseconds(), luck(),
		s.remainder(), mark, ""))
	if err != nil {
		return err
	}
	return s.tellEnded(l.Job, textAt(list, 1))
}

// luck is a number from 0 to 1, for jitter.
func luck() string {
	return strconv.FormatFloat(rand.Float64(), 'f', 6, 64) //nolint:gosec // jitter guards no secret
}
