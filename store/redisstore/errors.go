package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

// What a server says when it cannot do now what it may do later, on another node perhaps. A script that was loaded
// may be gone before its call comes.
func laterReplies() []string {
	return []string{
		"LOADING ", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "MOVED ", "ASK ", "BUSY ",
		"UNBLOCKED ", "NOREPLICAS ", "NOSCRIPT ",
	}
}

// movingReply is in what a server says to a script of a slot that is on its way to another node.
const movingReply = "Script attempted to access a non local key"

// errNotReplicated: the master has it, but not enough replicas have said so in time.
var errNotReplicated = errors.New("not enough replicas have confirmed it")

// later tells whether it may help to try an operation again that has failed.
func later(err error) bool {
	if err == nil || errors.Is(err, store.ErrSchema) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	reply, isReply := errors.AsType[redis.Error](err)
	if !isReply {
		return !errors.Is(err, redis.ErrClosed)
	}
	for _, prefix := range laterReplies() {
		if strings.HasPrefix(reply.Error(), prefix) {
			return true
		}
	}
	return strings.Contains(reply.Error(), movingReply)
}

// foreign wraps an error of the client or the server.
func (s *Store) foreign(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, store.ErrSchema) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if errors.Is(err, redis.ErrClosed) {
		return store.ErrClosed
	}
	reply, isReply := errors.AsType[redis.Error](err)
	if !isReply {
		return fmt.Errorf("%s: %w: Redis: %w", doing, store.ErrUnavailable, err)
	}
	word, _, _ := strings.Cut(reply.Error(), " ")
	kind, hint := store.ErrUnavailable, ""
	switch word {
	case outdatedReply:
		return fmt.Errorf("%s: %w", doing, s.outdated(reply.Error()))
	case "OOM":
		kind, hint = store.ErrNoRoom, "; raise the server's maxmemory, or let jobs end"
	case "MISCONF":
		kind, hint = store.ErrNoRoom, "; the server cannot write to its disk"
	case "READONLY":
		hint = "; this server is a replica: give the address of the master, or of Sentinels"
	case "NOAUTH", "WRONGPASS":
		hint = "; give the right user and password"
	case "NOPERM":
		hint = "; the user needs all commands on the keys and channels of the store's prefix"
	case "NOREPLICAS":
		hint = "; the server takes no write without its replicas (min-replicas-to-write)"
	case "WRONGTYPE", "ERR":
		if strings.Contains(reply.Error(), "script") {
			kind = store.ErrSchema // a script met what it has not written
		}
	}
	return fmt.Errorf("%s: %w: Redis: %w%s", doing, kind, err, hint)
}
