// Package kube holds what is deployed on Kubernetes to Kubernetes's own schemas, KEDA's, kustomize and what
// its network policies must let through, without a cluster. It has tests only: `make test` runs them.
package kube
