"""Archives as a capture writes them: one that grows, which is rotated, packed and copied."""

import gzip
import os
import random
import threading

import archives
from oracle import times


class Capture:
    """The archives of one world, in a directory."""

    def __init__(self, directory, seed):
        self.directory = directory
        self.rng = random.Random("capture %s" % seed)
        self.lock = threading.Lock()
        self.rotations = 0
        self.kept = b""  # the end of what was rotated last
        directory.mkdir(parents=True)
        self.growing = directory / "webhooks.jsonl"
        self.growing.touch()

    def write(self, event):
        """A webhook comes in. A reader may see half of its line."""
        rng = self.rng
        with self.lock:
            data = archives.update(rng, event.mid, event.status, {})
            name = rng.choice([event.instance, event.instance.upper(), event.instance.strip()])
            body = {"event": rng.choice(archives.EVENTS), "instance": name,
                    "data": [data] if rng.random() < 0.2 else data,
                    "date_time": times.show(event.at * 1000000)}
            if rng.random() < 0.5:
                received = times.show((event.at + rng.randrange(3)) * 1000000)
                body = {"received_at": received,
                        "body": archives.dump(body) if rng.random() < 0.5 else body}
            line = archives.dump(body).encode() + b"\n"
            if rng.random() < 0.1:
                line += b'{"event":"messages.upsert","instance":"x","data":{"message":{}}}\n'
            cut = rng.randrange(len(line)) if rng.random() < 0.2 else len(line)
            with open(self.growing, "ab", buffering=0) as f:
                f.write(line[:cut])
                f.write(line[cut:])

    def rotate(self):
        """The growing archive becomes one that stays; some of it is in the next one, too."""
        with self.lock:
            self.rotations += 1
            data = self.growing.read_bytes()
            lines = data.splitlines(True)
            target = self.directory / ("webhooks-%03d.jsonl" % self.rotations)
            if self.rng.random() < 0.7:
                target = target.with_name(target.name + ".gz")
                packed = archives.pack(self.kept + data, self.rng.randrange(1, 4), self.rng)
                part = self.directory.parent / "packing"
                part.write_bytes(packed)
                os.rename(part, target)
                self.growing.write_bytes(b"")
            else:
                os.rename(self.growing, target)
                self.growing.touch()
            self.kept = b"".join(lines[-self.rng.randrange(30):])
            if self.rng.random() < 0.3:  # a copy, cut off: what follows is in the other
                half = gzip.compress(data, mtime=0)
                copy = self.directory / ("copy-%03d.jsonl.gz" % self.rotations)
                copy.write_bytes(half[:len(half) // 2])

    def uncut(self):
        """Cut copies would be damage to a run some minutes later; they go."""
        for path in self.directory.glob("copy-*"):
            path.unlink()

    def size(self):
        return sum(p.stat().st_size for p in self.directory.iterdir())
