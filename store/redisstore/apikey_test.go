package redisstore

import (
	"testing"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestLostAnswerToAChangeOfAPIKeys: a change that was made, of which the answer is lost, is not taken for one of somebody else's.
func TestLostAnswerToAChangeOfAPIKeys(t *testing.T) {
	t.Parallel()
	p := startProxy(t, redistest.Start(t))
	s := openTest(t, Options{URL: p.url}, store.Options{})
	for _, step := range []struct {
		change store.APIKeyChange
		left   int
	}{
		{store.APIKeyChange{Put: []store.APIKey{{ID: "a", Name: "t", Hash: store.PayloadHash{1}, Roles: []string{"read"}}}}, 1},
		{store.APIKeyChange{Put: []store.APIKey{{ID: "b", Name: "t", Hash: store.PayloadHash{2}, Roles: []string{"read"}}}, Forget: []string{"a"}}, 1},
		{store.APIKeyChange{Forget: []string{"b"}}, 0},
	} {
		told := 0
		err := s.ChangeAPIKeys(t.Context(), func([]store.APIKey) (store.APIKeyChange, error) {
			told++
			p.loseAnswer()
			return step.change, nil
		})
		keys, readErr := s.APIKeys(t.Context())
		must(t, readErr)
		if err != nil || told != 1 || !p.lost() || len(keys) != step.left {
			t.Errorf("%+v gave %v and was decided %d times; the keys are %+v", step.change, err, told, keys)
		}
	}
}
