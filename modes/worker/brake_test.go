package worker

import "testing"

func TestBrakeSlowsClaimsWhileTheRunnerFails(t *testing.T) {
	t.Parallel()
	var b brake
	if b.rest() != 0 || b.bound(4) != 4 {
		t.Error("slow without a failure")
	}
	b.failed()
	if b.rest() != 0 || b.bound(4) != 4 {
		t.Error("slow after one failure, which may be the job's own doing")
	}
	b.failed()
	second := b.rest()
	if second <= 0 || second > brakeStep || b.bound(4) != 1 {
		t.Errorf("rests %s and claims %d after two failures", second, b.bound(4))
	}
	for range 100 {
		b.failed()
	}
	if got := b.rest(); got <= second || got > brakeMost {
		t.Errorf("rests %s after many failures", got)
	}
	b.worked()
	if b.rest() != 0 || b.bound(4) != 4 {
		t.Error("slow after the runner has worked")
	}
}
