package redisstore

import (
	"context"
	"os"
)

// nextMigrations are those of this version, and of two that may come: schema 2 adds fields to a job's record,
// which an older binary can do without; schema 3 is one that it cannot read. NEXT_SCHEMA is the newest that
// the binary knows.
func nextMigrations(all []migration) []migration {
	for schema := 2; schema <= int(os.Getenv("NEXT_SCHEMA")[0]-'0'); schema++ {
		m := migration{minReader: 1, run: func(ctx context.Context, s *Store) error { return nextForm(ctx, s, schema) }}
		if schema == 3 {
			m.minReader = 3
		}
		all = append(all, m)
	}
	return all
}

// nextForm has the jobs of all queues written in a form: a second number behind a queue's figures says so.
func nextForm(ctx context.Context, s *Store, schema int) error {
	_, _, _, all := figuresLayout()
	for _, q := range s.queues.all() {
		err := s.client.Eval(ctx, `local raw, size = redis.call('GET', KEYS[1]), tonumber(ARGV[1])
			if not raw then return 0 end
			local least = #raw >= size + 8 and string.sub(raw, size + 1, size + 8) or struct.pack('>d', 1)
			redis.call('SET', KEYS[1], string.sub(raw, 1, size) .. least .. struct.pack('>d', ARGV[2]))
			return 1`, []string{s.keys.queue(q) + "figures"}, 8*all, schema).Err()
		if err != nil {
			return err
		}
	}
	return nil
}
