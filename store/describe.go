package store

// What keeps the jobs, as [Description.Kind] says it.
const (
	KindFile     = "file"
	KindRedis    = "redis"
	KindSentinel = "redis_sentinel"
	KindCluster  = "redis_cluster"
)

// Description says what a store is and how it fares, for people. It holds no secret and no address.
type Description struct {
	// Kind is KindFile, or a server that speaks the Redis protocol: one, one that Sentinels watch, or a Cluster.
	Kind string `json:"kind"`
	// Durability is what an acknowledged submission or report outlives: "local" the store's process, "fsync"
	// a power cut too, "replicated" the loss of the machine too.
	Durability string `json:"durability"`
	// Version is the servers' name and version; empty for a file.
	Version string `json:"version,omitempty"`
	// Bytes is the file's size, or the memory that the servers use together.
	Bytes int64 `json:"bytes"`
	// Free is how much there is room for beyond that: on the file's disk and within the file, or, of several
	// servers, in the one that has the least. -1 where there is no limit, or none that is known.
	Free int64 `json:"free"`
	// Warnings say, each in a sentence that names the remedy, in what the store does not keep what it is told
	// as well as it should.
	Warnings []string `json:"warnings,omitempty"`
}
