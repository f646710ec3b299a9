package web

import "optimus/store"

// ViewJob gives a job as the API shows it, without its submission.
func ViewJob(j *store.Job) *Job { return viewJob(j, false) }
