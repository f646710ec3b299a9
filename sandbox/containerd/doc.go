// Package containerd runs untrusted programs in containers of containerd, with no other
// daemon in between, and looks after what that needs: the daemon itself, the images and
// the machine.
//
// # The daemon
//
// [Connect] finds a containerd: the one that is configured, else a running system one, else
// a private one that it starts below the data folder. The private daemon belongs to its
// folder rather than to one process:
//
//	<dir>/config.toml     generated; another text restarts the daemon
//	<dir>/root, state     images and snapshots; running tasks
//	<dir>/runc            runc's own root, apart from any other containerd's
//	<dir>/containerd.sock or, where that path is too long, /run/optimus/<hash>/containerd.sock
//	<dir>/start.lock      held while one starts, adopts or stops the daemon
//	<dir>/users.lock      held, shared, by every process that uses it
//
// So `optimus serve` and `optimus admin images build` share one daemon, whoever came first.
// Each user watches it and starts it again when it dies; its shims, and so the containers,
// outlive it. The last user to leave ends what still runs and stops it. A daemon that was
// left behind by a killed process is adopted by the next one.
//
// # Images
//
// [Images] lists, pulls, imports, exports and prunes what is in containerd's image store;
// [Build] makes one from a Debian recipe, without a registry. All objects live in the
// containerd namespace [Namespace] and carry the label [LabelOwner].
//
// [Doctor] tells what a machine lacks, and how to mend it.
package containerd
