// Package original is the API of the original Optimus at its old paths: POST /execute,
// GET /job/:id, GET /job/:id/debug and POST /job/:id/cancel, with its fields, its statuses, its
// order of errors, and its one form of error, {"error":{"code","message"}}.
//
// Where it differs on purpose, it is because the original was at fault: an unknown id is 404
// instead of pending for ever, and overall_status is completed only where every test is accepted.
// Each result has one field more, verdict, and each job one more, state, with Optimus's exact words.
package original
