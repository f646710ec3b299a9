package redisstore

import (
	"strconv"

	"optimus/store"
)

// keys are the names of what the store keeps; the package doc draws them.
type keys struct {
	prefix string
	// tag begins the keys that belong to no queue.
	tag                                                        string
	meta, names, numbers, workers, beats, apiKeys, newsChannel string
}

func newKeys(prefix string) keys {
	tag := "{" + prefix + "}:"
	return keys{
		prefix: prefix, tag: tag, meta: tag + "meta", names: tag + "queues", numbers: tag + "numbers",
		workers: tag + "workers", beats: tag + "beats", apiKeys: tag + "api_keys", newsChannel: prefix + ":news",
	}
}

// queue begins the keys of a queue, which share a slot of a Cluster.
func (k keys) queue(number uint16) string {
	return "{" + k.prefix + ":" + strconv.Itoa(int(number)) + "}:"
}

// key is an idempotency key's record, which has a slot of its own. The tenant's length keeps "ab" and
// "c" apart from "a" and "bc".
func (k keys) key(tenant, key string) string {
	return k.prefix + ":key:{" + strconv.Itoa(len(tenant)) + ":" + tenant + ":" + key + "}"
}

// processChannel is where a process hears of what it waits for.
func (k keys) processChannel(process string) string { return k.prefix + ":process:" + process }

// laneText is a lane in keys. The language's length keeps "a/b" and "c" apart from "a" and "b/c".
func laneText(l store.Lane) string {
	return strconv.Itoa(len(l.Language)) + ":" + l.Language + "/" + string(l.Tier)
}
