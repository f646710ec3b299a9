// Package web is the HTTP layer: the native API under /v1, the operational routes
// (/health, /ready, /version, /metrics), the OpenAPI document with a reference page that works
// offline, and, from its sub-packages, the APIs of other systems at their own paths.
//
// It knows a store by [Store] and a catalogue of languages by [Catalogue], and runs nothing
// itself. A request passes, in this order: the observer (request id, access log, metrics, panic
// recovery), the guard (API key, role, rate limit), its handler. A body is read once, bounded,
// and checked in one pass against the schema that the OpenAPI document shows, so that document,
// validation and Go types are one thing; every fault of it is listed at once.
package web
