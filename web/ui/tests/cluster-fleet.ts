import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { binary, Server } from "./server";

/** A server without a worker, and workers, around a redis-server: all on loopback, or on a socket. */
export class Fleet {
  private constructor(
    private readonly dir: string,
    private readonly redis: ChildProcess,
    private readonly settings: string,
    readonly server: Server,
  ) {}

  private readonly workers = new Map<string, ChildProcess>();

  static async make(more = ""): Promise<Fleet> {
    const dir = await mkdtemp(join(tmpdir(), "optimus-fleet-"));
    const socket = join(dir, "redis.sock");
    const redis = spawn(
      "redis-server",
      ["--port", "0", "--unixsocket", socket, "--appendonly", "yes", "--dir", dir],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    await says(redis, redis.stdout, /ready to accept connections/i);
    const settings = `${more}[redis]\nurl = "unix://${socket}"\n`;
    return new Fleet(dir, redis, settings, await Server.make({ settings }));
  }

  /** Starts a worker that judges python, and waits until it is ready; settings are lines of its [worker]. */
  async work(name: string, more = ""): Promise<void> {
    const data = join(this.dir, name);
    const config = `${data}.toml`;
    const id = `${process.pid}-${name}`;
    const first = 200_000_000 + 64 * ((process.pid * 4 + this.workers.size) % (1 << 22));
    const sandbox = `[sandbox]\ncontainerd = "private"\ncgroup_parent = "/optimus-ui-${id}"\nuid_base = ${first}\n`;
    await writeFile(config, `${this.settings}[worker]\nname = "${name}"\nslots = 4\n${more}${sandbox}`, {
      mode: 0o600,
    });
    const env: NodeJS.ProcessEnv = { ...process.env, OPTIMUS_CONFIG: config, OPTIMUS_DATA: data };
    delete env.OPTIMUS_BINARY; // it is no setting of the program, and would be refused
    await promisify(execFile)(binary, ["admin", "images", "build", "python"], { env });
    const worker = spawn(binary, ["work"], { env, stdio: ["ignore", "ignore", "pipe"] });
    this.workers.set(name, worker);
    await says(worker, worker.stderr, /"message":"ready"/);
  }

  /** Kills a worker at once: it says nothing to anybody. */
  async kill(name: string): Promise<void> {
    await end(this.workers.get(name), "SIGKILL");
  }

  /** Ends all in order, the killed workers too: started once more, they clear up what they have left. */
  async remove(): Promise<void> {
    for (const [name, worker] of this.workers) {
      if (worker.signalCode === "SIGKILL") await this.work(name);
      await end(this.workers.get(name), "SIGTERM");
    }
    await this.server.remove();
    await end(this.redis, "SIGTERM");
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Waits until a process says something. */
async function says(child: ChildProcess, out: NodeJS.ReadableStream | null, what: RegExp): Promise<void> {
  if (!out) throw new Error("its output is not read");
  let log = "";
  await new Promise<void>((resolve, reject) => {
    out.setEncoding("utf8");
    out.on("data", (text: string) => {
      log += text;
      if (what.test(log)) resolve();
    });
    child.once("exit", (code) => reject(new Error(`${child.spawnfile} ended with ${code}:\n${log}`)));
    child.once("error", reject);
  });
  out.removeAllListeners("data");
  out.resume();
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}
