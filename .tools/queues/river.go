package main

import (
	"context"
	"errors"
	"log/slog"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// runArgs are a job's.
type runArgs struct {
	Source []byte `json:"source"`
}

// Kind names the job's kind.
func (runArgs) Kind() string { return "run" }

type runWorker struct {
	river.WorkerDefaults[runArgs]

	ended func()
}

// Work does nothing.
func (w *runWorker) Work(context.Context, *river.Job[runArgs]) error {
	w.ended()
	return nil
}

// viaRiver inserts jobs one by one, as they come from clients, and has as many workers.
func viaRiver(ctx context.Context, dir string, l load) (took time.Duration, err error) {
	server, url, err := postgresServer(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.stop(syscall.SIGINT)) }()
	settings, err := pgxpool.ParseConfig(url)
	if err != nil {
		return 0, err
	}
	settings.MaxConns = 32
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return 0, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return 0, err
	}
	ended := newCounter(l.jobs)
	workers := river.NewWorkers()
	river.AddWorker(workers, &runWorker{ended: ended.ended})
	client, err := river.NewClient(driver, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: l.slots}}, Workers: workers,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	if err := client.Start(ctx); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, client.Stop(context.WithoutCancel(ctx))) }()
	started := time.Now()
	err = l.submit(ctx, func(ctx context.Context, _ int) error {
		_, err := client.Insert(ctx, runArgs{Source: l.payload}, nil)
		return err
	})
	if err == nil {
		err = ended.wait(ctx)
	}
	return time.Since(started), err
}
