package main

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
)

// viaAsynq enqueues tasks, which a server of as many workers handles and keeps for a day, as Optimus
// keeps its reports.
func viaAsynq(ctx context.Context, dir string, l load) (took time.Duration, err error) {
	server, socket, err := redisServer(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.stop(syscall.SIGTERM)) }()
	redis := asynq.RedisClientOpt{Network: "unix", Addr: socket, PoolSize: l.clients}
	client := asynq.NewClient(redis)
	defer func() { err = errors.Join(err, client.Close()) }()
	ended := newCounter(l.jobs)
	workers := asynq.NewServer(redis, asynq.Config{Concurrency: l.slots, LogLevel: asynq.FatalLevel})
	handle := asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		if _, err := task.ResultWriter().Write([]byte(`{"verdict":"accepted"}`)); err != nil {
			return err
		}
		ended.ended()
		return nil
	})
	if err := workers.Start(handle); err != nil {
		return 0, err
	}
	defer workers.Shutdown()
	started := time.Now()
	err = l.submit(ctx, func(ctx context.Context, _ int) error {
		_, err := client.EnqueueContext(ctx, asynq.NewTask("run", l.payload), asynq.Retention(24*time.Hour), asynq.MaxRetry(3))
		return err
	})
	if err == nil {
		err = ended.wait(ctx)
	}
	return time.Since(started), err
}
