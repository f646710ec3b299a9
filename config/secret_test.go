package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func TestSecretShowsNothing(t *testing.T) {
	t.Parallel()
	secret := NewSecret("hunter2")
	type open struct{ S Secret }
	type closed struct{ s Secret }
	var shown []string
	for verb := range strings.SplitSeq("v +v #v s q x X d o b c U e f g t p T", " ") {
		for _, v := range []any{
			secret, &secret,
			open{secret},
			&open{secret},
			closed{secret},
			&closed{secret},
			[]Secret{secret},
			map[string]Secret{"a": secret},
			map[Secret]int{secret: 1},
			Config{Redis: Redis{URL: secret}},
		} {
			shown = append(shown, fmt.Sprintf("%"+verb, v))
		}
	}
	shown = append(shown, secret.String(), secret.GoString(), fmt.Sprint(secret), fmt.Sprintln(secret), errors.New(secret.String()).Error())
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, toml.Marshal} {
		for _, v := range []any{open{secret}, &open{secret}, Config{Redis: Redis{URL: secret}}} {
			data, err := marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(data, []byte(Placeholder)) {
				t.Errorf("no placeholder in %s", data)
			}
			shown = append(shown, string(data))
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", secret, "in", open{secret})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", secret, "in", open{secret})
	shown = append(shown, log.String())
	for _, s := range shown {
		// Also as hexadecimal and as numbers, which some verbs make of a text.
		for _, form := range []string{"hunter2", "68756e746572", "68756E746572", "104 117 110"} {
			if strings.Contains(s, form) {
				t.Errorf("the secret shows in %q", s)
			}
		}
	}
	if secret.Reveal() != "hunter2" || secret.Empty() || fmt.Sprint(secret) != Placeholder {
		t.Errorf("%q, empty %v, shows %s", secret.Reveal(), secret.Empty(), secret)
	}
	if none := NewSecret(""); !none.Empty() || none.Reveal() != "" || none.String() != "" {
		t.Errorf("no secret: %q %q", none.Reveal(), none)
	}
}
