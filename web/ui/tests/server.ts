import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The built program: OPTIMUS_BINARY, else what 'make build' leaves. */
export const binary =
  process.env.OPTIMUS_BINARY ?? fileURLToPath(new URL("../../../optimus", import.meta.url));

export interface ServerOptions {
  /** Lines of optimus.toml. */
  settings?: string;
  /** Languages whose images it has; without any it has no worker. */
  images?: string[];
}

/** A server of the real program, on loopback, with a data folder of its own. */
export class Server {
  private constructor(
    readonly dir: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly worker: boolean,
  ) {}

  /** Its address, without a slash at the end. */
  url = "";
  private process: ChildProcess | undefined;
  private port = "0";
  private killed = false;

  static async make(options: ServerOptions = {}): Promise<Server> {
    if (!existsSync(binary)) throw new Error(`no program at ${binary}: say 'make build'`);
    const dir = await mkdtemp(join(tmpdir(), "optimus-ui-"));
    const config = join(dir, "optimus.toml");
    const name = `optimus-ui-${process.pid}-${dir.slice(-6)}`;
    // Users, cgroup and containerd of its own: other servers on this machine must not be in the way.
    const sandbox = [
      "[sandbox]",
      'containerd = "private"',
      `cgroup_parent = "/${name}"`,
      `uid_base = ${100_000_000 + 64 * (process.pid % (1 << 22))}`,
    ];
    await writeFile(config, [options.settings ?? "", ...sandbox, ""].join("\n"), { mode: 0o600 });
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      OPTIMUS_CONFIG: config,
      OPTIMUS_DATA: join(dir, "data"),
    };
    delete env.OPTIMUS_BINARY; // it is no setting of the program, and would be refused
    const images = options.images ?? [];
    const server = new Server(dir, env, images.length > 0);
    try {
      if (images.length > 0) await server.admin("images", "build", ...images);
      await server.start();
      return server;
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Runs an admin command to its end, and gives what it prints. */
  async admin(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(binary, ["admin", ...args], { env: this.env });
    return stdout;
  }

  /** Starts it, on the address that it had before, and waits until it is ready. */
  async start(): Promise<void> {
    const args = ["serve", "--listen", `127.0.0.1:${this.port}`];
    if (!this.worker) args.push("--worker=false");
    const child = spawn(binary, args, { env: this.env, stdio: ["ignore", "ignore", "pipe"] });
    this.process = child;
    this.killed = false;
    this.url = await new Promise<string>((resolve, reject) => {
      let log = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        const address = /"address":"([^"]+)"[^\n]*"message":"ready"/.exec(log)?.[1];
        if (address) resolve(`http://${address}`);
      });
      child.once("exit", (code) => reject(new Error(`optimus ended with ${code}:\n${log}`)));
    });
    child.stderr.removeAllListeners("data").resume();
    this.port = new URL(this.url).port;
  }

  /** Ends it: in order, or at once by SIGKILL. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
    this.killed = signal === "SIGKILL";
  }

  /** Ends it and deletes what it has left. */
  async remove(): Promise<void> {
    // One that was killed has left its containerd and containers: the next start takes them over.
    if (this.worker && this.killed) await this.start();
    await this.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Asks its API, without the page. */
  async call(path: string, init?: RequestInit): Promise<Response> {
    return fetch(this.url + path, init);
  }

  /** Gives the text of a file below its folder. */
  read(name: string): Promise<string> {
    return readFile(join(this.dir, name), "utf8");
  }
}
