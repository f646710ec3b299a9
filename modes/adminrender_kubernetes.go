package modes

import (
	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/deploy"
)

//go:generate env -i PATH=${PATH} HOME=${HOME} go run optimus admin render kubernetes --out ../deploy/kubernetes

// kubernetesRendering is `optimus admin render kubernetes`.
func kubernetesRendering() rendering {
	d := config.Default().Kubernetes
	return rendering{
		name:    "kubernetes",
		aliases: []string{"k8s"},
		usage:   "print manifests of API, queue and workers that KEDA scales, for Kubernetes",
		description: "By [kubernetes] of optimus.toml, by [redis] where that states a server, and by each language's queue and\n" +
			"resources. No secret is rendered; the first lines say how to make the Secret that the pods read.\n\n" +
			"   optimus admin render kubernetes | kubectl apply -f -\n" +
			"   optimus admin render kubernetes --out base && kubectl apply -k base\n\n" +
			"docs/KUBERNETES.md has the steps.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "namespace", Usage: "`NAME` of the namespace (kubernetes.namespace)", DefaultText: d.Namespace},
			&cli.StringFlag{Name: "image", Usage: "`REFERENCE` of Optimus's image, with its registry (kubernetes.image)", DefaultText: d.Image},
			&cli.StringFlag{Name: "distribution", Usage: "`NAME` of what the nodes run, which says where containerd is: standard, k3s, k0s or microk8s (kubernetes.distribution)", DefaultText: d.Distribution},
			redisFlag(),
		},
		settings: map[string]string{
			"namespace": "kubernetes.namespace", "image": "kubernetes.image", "distribution": "kubernetes.distribution",
		},
		files: renderKubernetes,
	}
}

func renderKubernetes(_ *cli.Context, _ Process, cfg config.Config) ([]deploy.File, error) {
	languages, err := config.LoadCatalogue(cfg.CataloguePath())
	if err != nil {
		return nil, err
	}
	return deploy.Kubernetes(cfg, languages, kubernetesOptions(cfg))
}

// kubernetesOptions tells how long processes take to stop beyond what settings give them.
func kubernetesOptions(cfg config.Config) deploy.KubernetesOptions {
	cfg.Worker.Grace, cfg.Server.ShutdownTimeout = 0, 0
	return deploy.KubernetesOptions{Stop: stopTime(cfg)}
}
