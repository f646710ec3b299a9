package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Cluster starts three masters, each with a replica, which is what their writes wait for.
func Cluster(t *testing.T) []*Server {
	t.Helper()
	const masters, slots = 3, 16384
	var nodes []*Server
	for range 2 * masters {
		nodes = append(nodes, OnPort(t, "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(FreePort(t)),
			"--cluster-node-timeout", "1500", "--cluster-replica-validity-factor", "0", "--min-replicas-to-write", "1"))
	}
	ctx := t.Context()
	_, port, _ := strings.Cut(nodes[0].Addr, ":")
	bus := nodes[0].args[slices.Index(nodes[0].args, "--cluster-port")+1]
	for i, s := range nodes {
		c := s.Client(t)
		if i < masters {
			must(t, c.ClusterAddSlotsRange(ctx, i*slots/masters, (i+1)*slots/masters-1).Err())
		}
		must(t, c.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", port, bus).Err())
	}
	for i, s := range nodes[masters:] {
		id, err := nodes[i].Client(t).ClusterMyID(ctx).Result()
		must(t, err)
		c := s.Client(t)
		until(t, "a replica", func() bool { return c.ClusterReplicate(ctx, id).Err() == nil })
	}
	for i, s := range nodes {
		c := s.Client(t)
		until(t, "the Cluster", func() bool {
			info, err := c.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:6")
		})
		if i < masters {
			until(t, "its replica", func() bool { return s.Says(t, "connected_slaves:1") })
		}
	}
	return nodes
}

// MasterName is the name by which [Sentinels] know their master.
const MasterName = "jobs"

// Sentinels starts a master with a replica, which is what its writes wait for, and three Sentinels that
// watch over them, of which it gives the addresses. more are further arguments of the two.
func Sentinels(t *testing.T, more ...string) (master, replica *Server, sentinels []string) {
	t.Helper()
	more = append([]string{"--min-replicas-to-write", "1"}, more...)
	master = OnPort(t, more...)
	replica = OnPort(t, append(more, "--replicaof", strings.ReplaceAll(master.Addr, ":", " "))...)
	return master, replica, watch(t, master, master.Addr)
}

// SentinelsApart is like [Sentinels], with a line before each of the two, over which everyone goes.
func SentinelsApart(t *testing.T, more ...string) (servers [2]*Server, lines [2]*Line, sentinels []string) {
	t.Helper()
	more = append([]string{"--min-replicas-to-write", "1"}, more...)
	for i := range servers {
		port := fmt.Sprint(FreePort(t))
		lines[i] = newLine(t, "127.0.0.1:"+port)
		_, seen, _ := strings.Cut(lines[i].Addr, ":")
		own := append(slices.Clone(more), "--replica-announce-port", seen)
		if i > 0 {
			own = append(own, "--replicaof", strings.ReplaceAll(lines[0].Addr, ":", " "))
		}
		servers[i] = onPort(t, port, own...)
	}
	return servers, lines, watch(t, servers[0], lines[0].Addr)
}

// watch starts Sentinels for a master that is found at addr, and gives their addresses.
func watch(t *testing.T, master *Server, addr string) (sentinels []string) {
	t.Helper()
	at := strings.ReplaceAll(addr, ":", " ")
	until(t, "the replica", func() bool { return master.Says(t, "connected_slaves:1") })
	for range 3 {
		dir, own := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", FreePort(t))
		_, port, _ := strings.Cut(own, ":")
		config := filepath.Join(dir, "sentinel.conf")
		must(t, os.WriteFile(config, []byte(strings.Join([]string{
			"port " + port, "bind 127.0.0.1", "dir " + dir, "logfile " + filepath.Join(dir, "log"),
			"sentinel monitor " + MasterName + " " + at + " 2",
			"sentinel down-after-milliseconds " + MasterName + " 1000", "sentinel failover-timeout " + MasterName + " 5000",
		}, "\n")+"\n"), 0o600))
		s := &Server{URL: "redis://" + own, Addr: own, args: []string{config, "--sentinel"}}
		t.Cleanup(s.Kill)
		must(t, s.Start())
		sentinels = append(sentinels, own)
		until(t, "a Sentinel", func() bool { return s.Says(t, "status=ok,address="+addr+",slaves=1") })
	}
	last := &Server{URL: "redis://" + sentinels[2]}
	until(t, "all Sentinels", func() bool { return last.Says(t, "sentinels=3") })
	return sentinels
}

// Reshard moves a slot from one master of a Cluster to another, as its operator would, key by key; between
// two of them others have a moment.
func Reshard(t *testing.T, nodes []*Server, from, to *Server, slot int64) {
	t.Helper()
	const moment = 2 * time.Millisecond
	ctx := t.Context()
	source, target := from.Client(t), to.Client(t)
	sourceID, err := source.ClusterMyID(ctx).Result()
	must(t, err)
	targetID, err := target.ClusterMyID(ctx).Result()
	must(t, err)
	must(t, target.Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", sourceID).Err())
	must(t, source.Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", targetID).Err())
	host, port, _ := strings.Cut(to.Addr, ":")
	for {
		keys, err := source.ClusterGetKeysInSlot(ctx, int(slot), 1).Result()
		must(t, err)
		if len(keys) == 0 {
			break
		}
		must(t, source.Migrate(ctx, host, port, keys[0], 0, 10*time.Second).Err())
		time.Sleep(moment)
	}
	for _, s := range append([]*Server{to, from}, nodes...) {
		c := s.Client(t)
		if s.Says(t, "role:master") {
			must(t, c.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", targetID).Err())
		}
	}
}
