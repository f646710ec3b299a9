package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"optimus/store"
)

// An event's value is its type as one byte, its time, and its data as it is.
const eventHeader = 1 + 8

func eventCode(t store.EventType) byte {
	switch t {
	case store.EventState:
		return 's'
	case store.EventCompiled:
		return 'c'
	case store.EventTest:
		return 't'
	case store.EventOutput:
		return 'o'
	case store.EventRestart:
		return 'r'
	}
	return 0
}

func eventType(code byte) store.EventType {
	for _, t := range []store.EventType{store.EventState, store.EventCompiled, store.EventTest, store.EventOutput, store.EventRestart} {
		if eventCode(t) == code {
			return t
		}
	}
	return ""
}

// stateEvent tells of the job's state. The caller saves the record.
func (b *batch) stateEvent(r *record, reason string) {
	d := store.StateData{State: r.State, Attempt: r.Counted, Reason: reason, Verdict: r.Verdict}
	data, err := json.Marshal(d)
	if err != nil {
		b.wrote(err)
		return
	}
	b.event(r, store.EventState, data)
}

// event appends to the job's stream, within its bounds. The caller saves the record.
func (b *batch) event(r *record, t store.EventType, data []byte) {
	r.Seq++
	b.putEvent(r, store.Event{Seq: r.Seq, Time: b.now, Type: t, Data: data})
	b.seen = append(b.seen, r.ID)
	if r.Events > b.s.o.MaxEvents || r.EventBytes > b.s.o.MaxEventBytes {
		b.trim(r)
	}
}

// putEvent keeps an event, whatever the stream's bounds.
func (b *batch) putEvent(r *record, e store.Event) {
	val := binary.BigEndian.AppendUint64([]byte{eventCode(e.Type)}, uint64(max(e.Time.UnixNano(), 0)))
	b.put(bucketEvents, eventKey(r.ID, e.Seq), append(val, e.Data...))
	r.Events++
	r.EventBytes += int64(len(e.Data))
}

// trim drops the oldest events until the stream is within its bounds: output and its restarts
// first, then what is no state, then any.
func (b *batch) trim(r *record) {
	for _, dropped := range []string{"or", "orct", "orcts"} {
		var old [][]byte
		c := b.table(bucketEvents).cursor()
		prefix := jobKey(r.ID)
		events, size := r.Events, r.EventBytes
		for k, v := c.seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.next() {
			if events <= b.s.o.MaxEvents && size <= b.s.o.MaxEventBytes {
				break
			}
			if bytes.IndexByte([]byte(dropped), v[0]) >= 0 {
				old = append(old, bytes.Clone(k))
				events--
				size -= int64(len(v) - eventHeader)
			}
		}
		for _, k := range old {
			b.delete(bucketEvents, k)
		}
		r.Events, r.EventBytes = events, size
		if events <= b.s.o.MaxEvents && size <= b.s.o.MaxEventBytes {
			return
		}
	}
}

// Progress appends events to the job's stream.
func (s *Store) Progress(ctx context.Context, l store.Lease, events ...store.Event) error {
	if err := validEvents(events); err != nil {
		return fmt.Errorf("progress of job %s: %w", l.Job, err)
	}
	return s.writeEarly(ctx, func(b *batch) error {
		_, r, err := b.leased(l)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, e := range events {
			b.event(r, e.Type, e.Data)
		}
		b.save(r)
		return nil
	})
}

func validEvents(events []store.Event) error {
	for _, e := range events {
		if eventCode(e.Type) == 0 {
			return fmt.Errorf("%w: event type %.40q", store.ErrInvalid, e.Type)
		}
	}
	return nil
}

// Events gives the job's events with a Seq above after, oldest first.
func (s *Store) Events(ctx context.Context, id store.ID, after uint64) ([]store.Event, error) {
	var events []store.Event
	err := s.read(ctx, func(v view) error {
		if _, err := v.record(id); err != nil {
			return err
		}
		events = v.events(id, after)
		return nil
	})
	return events, err
}

func (v view) events(id store.ID, after uint64) (events []store.Event) {
	prefix := jobKey(id)
	c := v.table(bucketEvents).cursor()
	for k, val := c.seek(eventKey(id, after)); bytes.HasPrefix(k, prefix); k, val = c.next() {
		if e := decodeEvent(k, val); e.Seq > after {
			events = append(events, e)
		}
	}
	return events
}

// unixTime is the time that is so many nanoseconds after 1970 began.
func unixTime(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func decodeEvent(k, val []byte) store.Event {
	return store.Event{
		Seq:  binary.BigEndian.Uint64(k[len(k)-8:]),
		Time: unixTime(int64(binary.BigEndian.Uint64(val[1:]))), //nolint:gosec // was not negative
		Type: eventType(val[0]),
		Data: bytes.Clone(val[eventHeader:]),
	}
}
