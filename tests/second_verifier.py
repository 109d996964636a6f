#!/usr/bin/env python3
"""A second verifier of host ledgers, written from docs/LEDGER.md ("Verifying").

    tests/second_verifier.py --trust FILE [--known-head FILE]... [--own-ed25519] DIR...

Standard library and ssh-keygen only; it shares no code with countersign. For
each DIR (with journal/ and recordings/, also under host/) it prints the exit
code, the ids of what deviates, and DIR. With one DIR the exit code is its own.
--own-ed25519 checks SSHSIG signatures here too, in place of ssh-keygen: faster
where there are thousands.
"""
import base64, binascii, datetime, hashlib, json, os, re, subprocess, sys, tempfile, tomllib

ORDER = [40, 41, 42, 50, 30, 51, 20, 11, 10]
CODES = {}
for code, ids in {
    40: "grammar.leaf member.type kind.sess journal.name chain.order chain.repeat chain.prev chain.host sig.entry"
        " sig.key_unknown source.damaged commit.opening commit.length enrol.first trust.host_key trust.service_key sess.chain sess.order"
        " sess.after_restart sess.resumed submission.repeat decided.of refusal.statement finish.of checkpoint.size checkpoint.signature"
        " kind.place sig.key_range key.certificate key.epoch key.start authority.document authority.signature authority.version policy.text"
        " gap.place removal.entry",
    41: "chain.seq commit.missing sess.gap head.missing key.missing removal.early removal.signature part.login",
    42: "recording.missing recording.digest recording.chunks recording.length recording.extra",
    50: "decision.cut_command decision.missing decision.signature decision.key_unknown decision.host decision.entry"
        " decision.nonce decision.outcome decision.needs_person decision.words decision.expiry decision.late run.without_decision run.twice"
        " authority.missing authority.not_in_force review.rule review.missing review.invalid review.entry review.revoked",
    30: "fork.seq fork.service checkpoint.root head.fork",
    51: "time.mono_falls time.jump time.boot",
    20: "source.unknown source.empty trust.none trust.host trust.service head.other_host",
    11: "journal.torn sess.open sess.recovered submission.undecided run.unfinished recording.bad gap.declared time.silence pruned.declared head.not_covered",
    10: "assurance.self_attested decision.not_shown",
}.items():
    for name in ids.split():
        CODES[name] = code

ID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}\Z")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
BY = re.compile(r"(?:(?:whitelist_rule|deny_rule|grant):(0|[1-9][0-9]*)|threshold:(?:critical|high|medium|low)|timeout)\Z")
OUTCOMES = "approved denied whitelisted timed_out blocked cancelled error".split()
LETS_RUN = ("approved", "whitelisted")
ZERO = bytes(32)
NS_ENTRY, NS_DECISION = "entry.v1@countersign", "decision.v1@countersign"
NS_EPOCH, NS_AUTHORITY, NS_REMOVAL = "epoch.v1@countersign", "authority.v1@countersign", "removal.v1@countersign"
EPOCH_ENTRIES, EPOCH_US = 4096, 24 * 3600 * 10**6


class Bad(Exception):
    pass


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leads_to(key, anchor):
    """Whether a front's secret is 1 to 64 steps before the end of its chain."""
    for _ in range(64):
        key = sha(b"cs.resume.v1\0", key)
        if key == anchor:
            return True
    return False


def b64(text, length):
    """Bytes of base64url without padding in their one spelling, or None."""
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    back = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    return data if back == text and (length is None or len(data) == length) else None


# --- the grammar --------------------------------------------------------------------------------------------

class Reader:
    """Canonical JSON of the leaf grammar: what is not in its one spelling is refused."""
    def __init__(self, text):
        self.text, self.at = text, 0

    def literal(self, text):
        if not self.text.startswith(text, self.at):
            raise Bad("expected " + text)
        self.at += len(text)

    def skip(self, text):
        here = self.text.startswith(text, self.at)
        self.at += len(text) if here else 0
        return here

    def match(self, pattern):
        found = re.compile(pattern).match(self.text, self.at)
        if not found:
            raise Bad("expected " + pattern)
        self.at = found.end()
        return found.group(1)

    def string(self):
        return self.match(r'"([ !#-\[\]-~]*)"')

    def integer(self):
        number = int(self.match(r"(0|[1-9][0-9]{0,15})(?![0-9])"))
        if number >= 2**53:
            raise Bad("integer")
        return number

    def value(self, depth):
        first = self.text[self.at:self.at + 1]
        if first == '"':
            return self.string()
        if first.isdigit():
            return self.integer()
        if first in ("{", "["):
            if depth > 6:
                raise Bad("depth")
            return self.object(depth) if first == "{" else self.list(depth)
        if self.skip("true"):
            return True
        if self.skip("false"):
            return False
        raise Bad("value")

    def object(self, depth):
        self.literal("{")
        out, before = {}, None
        if self.skip("}"):
            return out
        while True:
            name = self.string()
            if before is not None and name <= before:
                raise Bad("order of members")
            before = name
            self.literal(":")
            out[name] = self.value(depth + 1)
            if self.skip("}"):
                return out
            self.literal(",")

    def list(self, depth):
        self.literal("[")
        out = []
        if self.skip("]"):
            return out
        while True:
            out.append(self.value(depth + 1))
            if self.skip("]"):
                return out
            self.literal(",")


def digest(text):
    data = b64(text, 32)
    if data is None:
        raise Bad("digest")
    return data


def parse_line(raw):
    if len(raw) > 1 << 20 or any(not 0x20 <= c <= 0x7E for c in raw):
        raise Bad("bytes")
    r, e = Reader(raw.decode("ascii")), {}
    r.literal('{"at":')
    e["at"] = r.string()
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", e["at"]):
        raise Bad("at")
    try:
        at = datetime.datetime.strptime(e["at"], "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        raise Bad("at")
    since = at - datetime.datetime(1970, 1, 1)
    e["at_us"] = (since.days * 86400 + since.seconds) * 10**6 + since.microseconds
    r.literal(',"body":')
    if not r.text.startswith("{", r.at):
        raise Bad("body")
    start = r.at
    e["body"] = r.value(2)
    e["body_text"] = r.text[start:r.at]
    r.literal(',"boot":')
    e["boot"] = r.match(r'"([0-9a-f]{32})"')
    r.literal(',"fmt":"cs1","host":')
    e["host"] = r.string()
    r.literal(',"key":')
    e["key"] = r.match(r'"([0-9a-f]{16})"')
    r.literal(',"kind":')
    e["kind"] = r.match(r'"([a-z0-9_]{1,64})"')
    r.literal(',"mono":')
    e["mono"] = r.integer()
    r.literal(',"prev":')
    e["prev"] = digest(r.string())
    r.literal(',"seq":')
    e["seq"] = r.integer()
    e["sess"] = None
    if r.skip(',"sess":{"id":'):
        login = r.string()
        r.literal(',"n":')
        n = r.integer()
        r.literal(',"prev":')
        e["sess"] = (login, n, digest(r.string()))
        r.literal("}")
    if not ID.match(e["host"]) or e["sess"] and not ID.match(e["sess"][0]):
        raise Bad("id")
    signed = r.text[:r.at] + "}"
    r.literal(',"sig":')
    e["sig"] = b64(r.string(), 64)
    if e["sig"] is None:
        raise Bad("sig")
    leaf = r.text[:r.at] + "}"
    if len(leaf) > 65535:
        raise Bad("leaf too long")
    r.literal(',"vals":')
    e["vals"] = r.text[r.at:-1]
    if not (r.text.endswith("}}") and e["vals"].startswith("{")):
        raise Bad("vals")
    e["signed"], e["leaf"] = signed.encode(), sha(b"\0", leaf.encode())
    return e


# --- signatures ---------------------------------------------------------------------------------------------

def key_id(public):
    return sha(public)[:8].hex()


def ssh(*parts):
    return b"".join(len(p).to_bytes(4, "big") + p for p in parts)


known_signatures = {}
own_ed25519 = False


def sshsig(namespace, public, message, signature):
    """Of a bare Ed25519 key and signature."""
    blob = ssh(b"ssh-ed25519", public)
    whole = b"SSHSIG\0\0\0\1" + ssh(blob, namespace.encode(), b"", b"sha256", ssh(b"ssh-ed25519", signature))
    return people_sig(namespace, blob, message, whole)


def people_sig(namespace, blob, message, whole):
    """ssh-keygen -Y verify of a whole signature by this key; each is asked about once."""
    asked = (namespace, blob, sha(message), whole)
    if asked not in known_signatures:
        known_signatures[asked] = own(namespace, blob, message, whole) if own_ed25519 else None
    if known_signatures[asked] is None:
        coded = base64.encodebytes(whole).decode()
        kind = strings(blob)[0].decode()
        with tempfile.TemporaryDirectory() as place:
            with open(place + "/sig", "w") as f:
                f.write(f"{BEGIN_SIG}\n{coded}{END_SIG}\n")
            with open(place + "/allowed", "w") as f:
                f.write(f'x namespaces="{namespace}" {kind} {base64.b64encode(blob).decode()}\n')
            command = ["ssh-keygen", "-Y", "verify", "-f", place + "/allowed", "-I", "x", "-n", namespace, "-s", place + "/sig"]
            ended = subprocess.run(command, input=message, capture_output=True)
        known_signatures[asked] = ended.returncode == 0
    return known_signatures[asked]


def own(namespace, blob, message, whole):
    """The same here for an Ed25519 key; None for another."""
    signed = read_sshsig(whole)
    if signed is None or strings(blob)[0] != b"ssh-ed25519":
        return None
    key, space, hashed, signature, _ = signed
    hashes = hashlib.sha512(message).digest() if hashed == b"sha512" else sha(message)
    return key == blob and space == namespace.encode() and len(signature) == 64 \
        and ed25519(strings(blob)[1], b"SSHSIG" + ssh(space, b"", hashed, hashes), signature)


# OpenSSH's keys and signatures (RFC 4251 §5, PROTOCOL.sshsig, PROTOCOL.u2f), as people have them.

BEGIN_SIG, END_SIG = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
KEY_PARTS = {b"ssh-ed25519": 2, b"sk-ssh-ed25519@openssh.com": 3, b"ecdsa-sha2-nistp256": 3, b"sk-ecdsa-sha2-nistp256@openssh.com": 4}


def take(data):
    """A string and what follows it."""
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length:
        raise Bad("string")
    return data[4:4 + length], data[4 + length:]


def strings(data):
    out = []
    while data:
        part, data = take(data)
        out.append(part)
    return out


def standard(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Bad("base64")


def key_blob(blob):
    """Checks the form of a public key's binary form."""
    parts = strings(blob)
    if not parts or KEY_PARTS.get(parts[0]) != len(parts) or len(blob) > 4096:
        raise Bad("key")
    if b"ecdsa" in parts[0]:
        good = parts[1] == b"nistp256" and len(parts[2]) == 65 and parts[2][0] == 4
    else:
        good = len(parts[1]) == 32
    if not good:
        raise Bad("key")
    return blob


def point(blob):
    return strings(blob)[2 if b"nistp256" in strings(blob)[0] else 1]


def key_line(line):
    words = line.split() if isinstance(line, str) else []
    if len(words) < 2 or "\n" in line.strip() or "\r" in line.strip():
        raise Bad("key line")
    blob = key_blob(standard(words[1]))
    if strings(blob)[0] != words[0].encode():
        raise Bad("key line")
    return blob


def read_sshsig(whole):
    """Key, namespace, hash, bare signature and FIDO flags; None where it is no signature."""
    try:
        if whole[:10] != b"SSHSIG\0\0\0\1" or len(whole) > 4096:
            return None
        key, namespace, reserved, hashed, inner = strings(whole[10:])
        kind, rest = take(inner)
        signature, rest = take(rest)
        if reserved or hashed not in (b"sha256", b"sha512") or kind != strings(key_blob(key))[0]:
            return None
        if len(rest) != (5 if kind.startswith(b"sk-") else 0):
            return None
        return key, namespace, hashed, signature, rest[0] if rest else None
    except (Bad, ValueError, IndexError):
        return None


def signs(whole, namespace, message):
    """The key that has signed a message, if that holds and the key was touched."""
    read = read_sshsig(whole)
    if read is None or read[1] != namespace.encode() or read[4] is not None and not read[4] & 1:
        return None
    return read[0] if people_sig(namespace, read[0], message, whole) else None


# Ed25519 of RFC 8032 §5.1 for notes, which ssh-keygen cannot check: their signature is over the bare text.
P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def point(data):
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and data[31] >> 7):
        return None
    x = P - x if x & 1 != data[31] >> 7 else x
    return x, y, 1, x * y % P


def add(a, b):
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(k, a):
    out = (0, 1, 1, 0)
    while k:
        out, a, k = add(out, a) if k & 1 else out, add(a, a), k >> 1
    return out


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519(public, message, signature):
    a, s = point(public), int.from_bytes(signature[32:], "little")
    if a is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    right = times(h, (P - a[0], a[1], 1, P - a[3]))
    x, y, z, _ = add(times(s, BASE), right)
    x, y = x * pow(z, P - 2, P) % P, y * pow(z, P - 2, P) % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# --- the tree -----------------------------------------------------------------------------------------------

def node(left, right):
    return sha(b"\1", left, right)


def levels(start, end):
    """Heights of the largest complete subtrees that cover the leaves from start up to end."""
    out = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        out.append(level)
        start += 1 << level
    return out


def root_of_blocks(blocks):
    """The root over complete subtrees (level, hash), in order."""
    peaks = []
    for level, hashed in blocks:
        while peaks and peaks[-1][0] == level:
            level, hashed = level + 1, node(peaks.pop()[1], hashed)
        peaks.append((level, hashed))
    out = None
    for _, hashed in reversed(peaks):
        out = hashed if out is None else node(hashed, out)
    return out if out is not None else sha(b"")


def regular(path):
    """What is a link or no file is not followed."""
    if os.path.islink(path) or not os.path.isfile(path):
        raise Bad(path)


def once(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise Bad("a member stands twice")
    return dict(pairs)


def read_gaps(path):
    """proof.json as {first seq: (end, hashes)}."""
    if not os.path.lexists(path):
        return {}
    regular(path)
    with open(path, "rb") as f:
        text = f.read().decode("latin-1").removesuffix("\n")
    r = Reader(text)
    said = r.value(1)
    if r.at != len(text) or not is_object(said) or list(said) != ["fmt", "gaps"] or said["fmt"] != "cs-proof1" or not is_objects(said["gaps"]):
        raise Bad("proof.json")
    out, end = {}, 0
    for gap in said["gaps"]:
        if list(gap) != ["from", "hashes", "to"] or not is_int(gap["from"]) or not is_int(gap["to"]) or not is_digests(gap["hashes"]) \
                or not end <= gap["from"] < gap["to"] or len(gap["hashes"]) != len(levels(gap["from"], gap["to"])):
            raise Bad("gap")
        end = gap["to"]
        out[gap["from"]] = (end, [digest(h) for h in gap["hashes"]])
    return out


def read_scope(path):
    """What a bundle says that it holds: None, a list of logins, or the seq from which on it holds all."""
    if not os.path.lexists(path):
        return None
    regular(path)
    try:
        with open(path) as f:
            said = json.load(f, object_pairs_hook=once)
    except ValueError:
        raise Bad("bundle.json")
    part = said.get("part") if is_object(said) else None
    if not is_object(said) or set(said) - {"fmt", "part", "software"} or not is_text(said.get("software", "")) or said.get("fmt") != "cs-bundle1" or not (part is None or is_object(part)):
        raise Bad("bundle.json")
    if part is None:
        return None
    if set(part) == {"since"} and is_int(part["since"]) and 0 <= part["since"] < 2**64:
        return part["since"]
    if set(part) == {"name", "logins"} and is_text(part["name"]) and is_texts(part["logins"]) and all(map(is_id, part["logins"])) \
            and len(set(part["logins"])) == len(part["logins"]):
        return part["logins"]
    raise Bad("part")


def inclusion(leaf, index, size, proof, root):
    """RFC 9162 §2.1.3.2"""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistency(old, old_root, new, new_root, proof):
    """RFC 9162 §2.1.4.2"""
    if old > new:
        return False
    if old in (0, new):
        return not proof and (old_root == new_root if old == new else old_root == sha(b""))
    proof = [old_root] + proof if old & (old - 1) == 0 else list(proof)
    if not proof:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root


# --- members ------------------------------------------------------------------------------------------------

def is_digest(v): return b64(v, 32) is not None
def is_sig(v): return b64(v, 64) is not None
def is_nonce(v): return b64(v, 16) is not None
def is_int(v): return type(v) is int
def is_bool(v): return type(v) is bool
def is_text(v): return isinstance(v, str)
def is_id(v): return is_text(v) and ID.match(v) is not None
def is_name(v): return is_text(v) and NAME.match(v) is not None
def is_outcome(v): return v in OUTCOMES
def is_object(v): return isinstance(v, dict)
def is_digests(v): return isinstance(v, list) and all(map(is_digest, v))
def is_ids(v): return isinstance(v, list) and all(map(is_id, v))
def is_objects(v): return isinstance(v, list) and all(map(is_object, v))
def is_ints(v): return isinstance(v, list) and all(map(is_int, v))
def is_texts(v): return isinstance(v, list) and all(map(is_text, v))
def is_counts(v): return isinstance(v, dict) and all(map(is_int, v.values()))


def is_by(v):
    if not is_text(v):
        return False
    found = BY.match(v)
    return found and (found.group(1) is None or int(found.group(1)) < 2**64) or ":" not in v and is_name(v)


def is_statement(said):
    names = "by decision entry exp_ms fmt host key nonce policy".split()
    return is_object(said) and list(said) == names and said["fmt"] == "cs-decision1" and is_by(said["by"]) \
        and said["decision"] in ("approve", "deny") and is_digest(said["entry"]) and is_int(said["exp_ms"]) and is_id(said["host"]) \
        and is_nonce(said["nonce"]) and is_digest(said["policy"]) and is_text(said["key"]) and re.fullmatch(r"[0-9a-f]{16}", said["key"])


MEMBERS = {
    "host_enrolled": {"former?": is_id, "key": is_digest, "name": is_name, "service": is_id, "service_key": is_digest, "signer": is_text, "software": is_text},
    "host_started": {"heartbeat_ms?": is_int, "recovered?": is_object, "signer": is_text, "software": is_text},
    "host_stopped": dict(why=is_text),
    "checkpoint": dict(cosig=is_sig, log=is_object, note_key=is_text, note_sig=is_sig, root=is_digest, service=is_id, size=is_int, time=is_int),
    "session_opened": {"agent": is_digest, "claimed?": is_digest, "claimed_error?": is_text,
                       "identity?": is_digest, "identity_source?": is_text, "columns?": is_int, "kind": is_text, "nested?": is_id, "resume?": is_digest, "rows?": is_int, "source?": is_digest,
                       "term?": is_digest, "tty": is_bool, "turned_away?": is_int, "uid": is_int},
    "command_submitted": {"authority?": is_digest, "people?": is_int, "cmd": is_digests, "cmd_bytes": is_int, "context?": is_digest, "cwd": is_digest, "env": is_digest, "expansions?": is_counts, "flags?": is_texts,
                          "hidden?": is_ints, "hidden_kinds?": is_texts, "id": is_id, "nonce": is_nonce, "personal?": is_counts,
                          "redactions?": is_counts, "shell": is_text, "stdin?": is_digests, "stdin_bytes?": is_int,
                          "stdin_hidden?": is_ints, "stdin_hidden_kinds?": is_texts, "transfer?": is_text, "turned_away?": is_int,
                          "wait_ms": is_int, "words?": is_text},
    "policy_text": dict(digest=is_digest, part=is_int, parts=is_int, text=is_digest),
    "policy_changed": dict(authority=is_digest, digest=is_digest, signatures=is_digest, version=is_int),
    "key_rotated": dict(by=is_text, cert=is_sig, key=is_digest),
    "decided": {"by?": is_by, "comment?": is_digest, "id": is_id, "latency_ms": is_int, "of": is_digest, "outcome": is_outcome, "reviews?": is_objects,
                "sig?": is_sig, "statement?": is_object, "why?": is_text},
    "exec_started": dict(id=is_id, of=is_digest),
    "exec_finished": {"code?": is_int, "end": is_text, "errno?": is_int, "files?": is_int, "files_read?": is_int, "files_written?": is_int, "id": is_id, "of": is_digest, "signal?": is_int,
                      "stderr_bytes": is_int, "stdout_bytes": is_int, "why?": is_text},
    "recording_chunk": {"at_us?": is_int, "digest": is_digest, "index": is_int, "length": is_int, "offset": is_int, "raw_bytes": is_int,
                        "redactions?": is_counts, "spool?": is_int, "within?": is_int},
    "session_resumed": {"key": is_digest, "of": is_digest, "running?": is_id},
    "session_closed": {"recording_bytes": is_int, "refused?": is_text, "why": is_text},
    "clock_step": dict(by_ms=is_int, forward=is_bool),
    "pruned": {"before": is_int, "head": is_digest, "reason": is_text, "root": is_digest, "sigs?": is_texts},
    "gap": {"former": is_id, "head?": is_digest, "seq?": is_int, "why": is_text},
    **{kind: {"entries": is_objects, "reason": is_text, "recordings?": is_ids, "sigs?": is_texts} for kind in ("erasure", "redaction")},
}
IN_LOGIN = "session_opened command_submitted decided exec_started exec_seen exec_finished recording_chunk session_resumed session_closed".split()
OF_HOST = "host_enrolled host_started host_stopped checkpoint key_rotated policy_changed policy_text clock_step redaction erasure pruned gap heartbeat".split()
OF_SERVICE = "admin_act signed_in access rule_changed grant anomaly_triaged hold report_read".split()
for kind in OF_SERVICE:
    MEMBERS[kind] = {"about?": is_text, "act": is_text, "by?": is_name, "detail?": is_digest, "policy?": is_digest}
ROUTINE = "checkpoint heartbeat host_started host_stopped key_rotated clock_step".split()
PRIVATE = {"session_opened": ["agent", "claimed", "identity", "source", "term"], "command_submitted": ["cmd", "context", "cwd", "env", "stdin"], "decided": ["comment"],
           "policy_changed": ["authority", "signatures"], "policy_text": ["text"], **{kind: ["detail"] for kind in OF_SERVICE}}


def erasable(kind, path):
    """What decides who may approve is not."""
    return (kind in ("session_opened", "command_submitted", "decided") or kind in OF_SERVICE) and path.split("/")[0] in PRIVATE[kind]


# --- openings -----------------------------------------------------------------------------------------------

def quoted(text):
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    units = lambda c: "".join("\\u%02x%02x" % tuple(c.encode("utf-16-be")[i:i + 2]) for i in range(0, len(c.encode("utf-16-be")), 2))
    return '"' + "".join(short.get(c) or (c if " " <= c <= "~" else units(c)) for c in text) + '"'


def opening(item):
    """[salt, value] as bytes and in its one spelling."""
    if not isinstance(item, list) or len(item) != 2 or b64(item[0], 32) is None:
        raise Bad("opening")
    if isinstance(item[1], dict) and list(item[1]) == ["b64"]:
        value = b64(item[1]["b64"], None)
    else:
        value = item[1].encode() if isinstance(item[1], str) else None
    if value is None:
        raise Bad("opening")
    try:
        text = quoted(value.decode("utf-8"))
    except UnicodeDecodeError:
        text = None
    if text is None or len(text) > 3 * len(value) + 2:
        text = '{"b64":"' + base64.urlsafe_b64encode(value).rstrip(b"=").decode() + '"}'
    return b64(item[0], 32), value, f'["{item[0]}",{text}]'


def commitment(path, salt, value):
    name = path.encode()
    return sha(b"cs.commit.v1\0", salt, len(name).to_bytes(4, "big"), name, len(value).to_bytes(8, "big"), value)


def openings(entry):
    """Paths that are missing, and the segments of a command; Bad where one does not open its commitment."""
    body, opened, spelled = entry["body"], {}, []
    try:
        vals = json.loads(entry["vals"], object_pairs_hook=lambda pairs: pairs if pairs else {})
    except (ValueError, RecursionError):
        raise Bad("vals")
    vals = vals if vals else []
    missing = []
    for path, stored in vals:
        stored = dict(stored) if isinstance(stored, list) and stored and isinstance(stored[0], tuple) else stored
        fix = lambda item: [item[0], dict(item[1])] if isinstance(item, list) and len(item) == 2 and isinstance(item[1], list) and item[1] and isinstance(item[1][0], tuple) else item
        if isinstance(stored, list) and stored and isinstance(stored[0], str):
            salt, value, text = opening(fix(stored))
            spelled.append(f"{quoted(path)}:{text}")
            if b64(body.get(path), 32) != commitment(path, salt, value):
                raise Bad("opening of " + path)
            opened[path] = value
        elif isinstance(stored, list):
            wanted, hidden = body.get(path), body.get("hidden" if path == "cmd" else path + "_hidden", [])
            if not isinstance(wanted, list) or len(wanted) != len(stored):
                raise Bad("opening of " + path)
            parts, texts = [], []
            for index, item in enumerate(stored):
                is_hidden = isinstance(hidden, list) and any(is_int(h) and h == index for h in hidden)
                if item == []:
                    texts.append("[]")
                    parts.append(None)
                    missing += [] if is_hidden else [f"{path}/{index}"]
                    continue
                salt, value, text = opening(fix(item))
                texts.append(text)
                if is_hidden or b64(wanted[index], 32) != commitment(f"{path}/{index}", salt, value):
                    raise Bad("opening of " + path)
                parts.append(value)
            spelled.append(f"{quoted(path)}:[{','.join(texts)}]")
            opened[path] = parts
        else:
            raise Bad("vals")
    names = [path for path, _ in vals]
    if names != sorted(set(names)) or "{" + ",".join(spelled) + "}" != entry["vals"]:
        raise Bad("vals")
    missing += [p for p in PRIVATE.get(entry["kind"], []) if p in body and p not in opened]
    entry["opened"] = opened
    return missing, opened


# --- the administrators' document -----------------------------------------------------------------------------

def document(text):
    """version, people, {key: name} of a document; Bad where it cannot be used."""
    try:
        said = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        raise Bad("toml")
    version, people, reviewers = said.get("version"), said.get("people", 1), said.get("reviewer")
    tables = isinstance(said.get("settings", {}), dict) and all(
        isinstance(said.get(name, []), list) and all(isinstance(table, dict) for table in said.get(name, [])) for name in ("rule", "target"))
    if len(text.encode()) > 512 * 1024 or set(said) - {"fmt", "version", "people", "reviewer", "settings", "rule", "target"} or not tables \
            or said.get("fmt") != "cs-authority1" or not is_int(version) or version < 1 or not is_int(people) \
            or not isinstance(reviewers, list) or not 1 <= people <= min(5, len(reviewers)):
        raise Bad("document")
    names, owners = set(), {}
    for reviewer in reviewers:
        if not isinstance(reviewer, dict) or set(reviewer) != {"name", "keys"} or not is_name(reviewer["name"]) \
                or reviewer["name"] in names or not isinstance(reviewer["keys"], list) or not reviewer["keys"]:
            raise Bad("reviewer")
        names.add(reviewer["name"])
        for line in reviewer["keys"]:
            key = key_line(line)
            # A plain key and one for some application may be of one point.
            if point(key) in map(point, owners):
                raise Bad("key twice")
            owners[key] = reviewer["name"]
    return version, people, owners, bool(said.get("rule"))


def signers(text, signatures):
    """The keys that have signed a document."""
    found = set()
    for rest in signatures.split(BEGIN_SIG)[1:]:
        rest = rest.strip()
        if not rest.endswith(END_SIG):
            continue
        try:
            whole = standard("".join(rest.removesuffix(END_SIG).split()))
        except Bad:
            continue
        found.add(signs(whole, NS_AUTHORITY, text.encode()))
    return found - {None}


def fingerprint(blob):
    return "SHA256:" + base64.b64encode(sha(blob)).decode().rstrip("=")


def micros(at):
    at = at if "." in at else at[:-1] + ".000000Z"
    since = datetime.datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ") - datetime.datetime(1970, 1, 1)
    return (since.days * 86400 + since.seconds) * 10**6 + since.microseconds


# --- the run ------------------------------------------------------------------------------------------------

class Run:
    def __init__(self, trust, heads):
        self.found, self.trust, self.heads, self.last_start = {}, trust, heads, None
        self.host = self.host_key = None
        self.services, self.same_uid, self.begun = [], False, False
        self.next, self.prev, self.seen, self.unread, self.holes = 0, ZERO, {}, 0, 0
        self.boots, self.last, self.highest = set(), None, 0
        self.logins, self.known, self.ends, self.submissions = {}, set(), {}, set()
        self.leaves, self.broken, self.held, self.log, self.log_lost, self.told = [], False, None, None, False, None
        self.entries = 0
        # What is left out as declared, and what was removed.
        self.gaps, self.scope, self.bridges, self.apart = {}, None, [], False
        self.former, self.covered, self.pending, self.erased, self.absent, self.pruned, self.gapped = None, 0, {}, set(), {}, None, False
        # Keys: the epochs as (first seq, key, by the identity key), the one that the line at hand begins, and the one in force.
        self.epochs, self.begins, self.span, self.starting, self.unproven = [], None, None, False, None
        self.of_service, self.heartbeat, self.service, self.held_us = False, None, None, None
        self.stopped = None
        # Documents: None, "unusable", or (digest, people, owners, whether it has rules).
        self.force, self.last_document = None, None
        # The text of a policy of the service that is not whole yet: digest, part that is due, parts, bytes.
        self.parts, self.by_rule = None, 0
        self.admins = None if trust is None or "admins" not in trust else {key_line(line) for line in trust["admins"]}
        self.revoked = {} if trust is None else {r["key"]: micros(r["at"]) for r in trust.get("revoked", [])}
        if trust is None:
            self.add("trust.none")
        else:
            self.services = [digest(s["key"]) for s in trust["services"]]

    def add(self, check):
        self.found[check] = self.found.get(check, 0) + 1

    def exit(self):
        codes = {CODES[check] for check in self.found}
        return next((code for code in ORDER if code in codes), 0)

    def journal(self, files):
        for index, path in enumerate(files):
            try:
                regular(path)
            except Bad:
                self.add("source.damaged")
                continue
            with open(path, "rb") as f:
                lines = f.read().split(b"\n")
            tail = lines.pop()
            name = os.path.basename(path)
            first = 0 if name == "kept" else int(name[:16])
            if not lines and not tail and index + 1 < len(files):
                self.add("journal.name")
            for raw in lines:
                self.line(raw, first)
                first = None
            if tail and index + 1 < len(files):
                self.unreadable()
            elif tail:
                self.add("journal.torn")

    def unreadable(self):
        self.add("grammar.leaf")
        self.unread += 1

    def line(self, raw, promised):
        try:
            e = parse_line(raw)
        except Bad:
            return self.unreadable()
        if promised is not None and (promised > e["seq"] or promised < e["seq"] and promised != self.next):
            self.add("journal.name")
        self.entries += 1
        self.begin(e)
        self.jumped = e["seq"] > self.next
        blocks = self.bridge(self.next, e["seq"]) if self.jumped and self.next else None
        self.jumped = self.jumped and blocks is None
        signed = self.signed(e)
        if blocks is not None and signed:
            self.leave_out(blocks, e["seq"], e["prev"])
        if not self.place(e, signed):
            return
        self.tree(e)
        self.entry(e)

    def bridge(self, start, end):
        """What stands for the entries from start up to end, or None."""
        blocks = []
        while start < end:
            stop, hashes = self.gaps.get(start, (end + 1, []))
            if stop > end:
                return None
            blocks += zip(levels(start, stop), hashes)
            start = stop
        return blocks

    def leave_out(self, blocks, seq, last):
        root = None
        # Nothing is between a certificate of the identity key and its start.
        if self.starting:
            self.add("key.start")
        self.log_lost = True
        if not self.broken:
            self.leaves += blocks
            self.covered = seq
            root = root_of_blocks(self.leaves)
            for head in self.heads:
                if head["last"] == seq - 1 and "root" in head:
                    head["found"] = head.get("found") or head["root"] == root
                    if head["root"] != root:
                        self.add("head.fork")
        self.bridges.append((self.next, seq, root, last))
        self.next, self.prev, self.apart = seq, blocks[-1][1] if blocks[-1][0] == 0 else None, True
        self.stopped = None

    def root_at(self, size):
        """The root over the first entries; None where that is within what is left out."""
        blocks, at = [], 0
        for level, hashed in self.leaves:
            if at == size:
                break
            blocks.append((level, hashed))
            at += 1 << level
        return root_of_blocks(blocks) if at == size else None

    def begin(self, e):
        if self.begun:
            return
        self.begun = True
        if self.trust is not None:
            services = [dict(host=s["service"], key=s["key"]) for s in self.trust["services"]]
            if {h["host"] for h in self.trust["hosts"]} & {s["host"] for s in services}:
                raise Bad("the trust file names an id as a host's and as a service's")
            self.of_service = any(s["host"] == e["host"] for s in services)
            known = [h for h in self.trust["hosts"] + services if h["host"] == e["host"]]
            if known:
                self.host_key = digest(known[0]["key"])
            else:
                self.add("trust.host")
        if self.host_key is None and e["kind"] == "host_enrolled":
            self.host_key = b64(e["body"].get("key"), 32)

    def key_at(self, seq):
        return next((key for first, key, _ in reversed(self.epochs) if first <= seq), self.host_key)

    def key_fault(self, e):
        """What is wrong with key and signature of a line, or None."""
        if e["kind"] == "key_rotated":
            return self.rotated(e)
        due = self.key_at(e["seq"])
        if e["key"] != key_id(due):
            ours = e["key"] in [key_id(key) for key in [self.host_key] + [key for _, key, _ in self.epochs]]
            return "sig.key_range" if ours else "sig.key_unknown"
        return None if sshsig(NS_ENTRY, due, e["signed"], e["sig"]) else "sig.entry"

    def rotated(self, e):
        b = e["body"]
        by, cert, key = b.get("by"), b.get("cert"), b64(b.get("key"), 32)
        if e["seq"] == 0 or not is_text(by) or not is_sig(cert) or key is None:
            return "key.certificate"
        by_identity = by == key_id(self.host_key)
        certifier = self.host_key if by_identity else self.key_at(e["seq"] - 1)
        prev = base64.urlsafe_b64encode(e["prev"]).decode().rstrip("=")
        text = json.dumps(dict(fmt="cs-epoch1", host=e["host"], key=b["key"], prev=prev, seq=e["seq"]), separators=(",", ":"))
        if by != key_id(certifier) or not sshsig(NS_EPOCH, certifier, text.encode(), b64(cert, 64)):
            return "key.certificate"
        return self.introduced(e, key, by_identity)

    def introduced(self, e, key, by_identity):
        used = key == self.host_key or any(known == key and first != e["seq"] for first, known, _ in self.epochs)
        if used or e["key"] != key_id(key):
            return "key.certificate"
        if not sshsig(NS_ENTRY, key, e["signed"], e["sig"]):
            return "sig.entry"
        self.begins = (e["seq"], key, by_identity)
        return None

    def signed(self, e):
        self.begins = None
        if self.host_key is None:
            return True
        fault = self.key_fault(e)
        if fault is None:
            self.unproven = None if self.begins else self.unproven
            return True
        if fault == "sig.key_unknown":
            same = self.unproven == e["key"]
            if self.jumped and not same:
                self.add("key.missing")
                self.unproven, self.span = e["key"], None
            if self.jumped or same:
                return True
        if self.unproven and e["kind"] == "key_rotated" and e["body"].get("by") == self.unproven:
            key = b64(e["body"].get("key"), 32)
            if key and is_text(e["body"].get("cert")) and self.introduced(e, key, False) is None:
                self.unproven = None
                return True
        self.add(fault)
        return False

    def follow(self, e):
        """An entry in its place begins its epoch, or is within the one in force."""
        by_identity = self.begins is not None and self.begins[2]
        if e["kind"] == "key_rotated" and by_identity:
            self.starting = True
        elif e["kind"] != "clock_step":
            due = self.starting
            if not self.jumped and due != (e["kind"] == "host_started") and (due or self.span):
                self.add("key.start")
            self.starting = False
        if self.begins:
            if self.begins[1] in self.services:
                self.add("key.certificate")
            if not by_identity and self.span and self.span["boot"] != e["boot"]:
                self.add("key.epoch")
            self.span = dict(first=e["seq"], mono=e["mono"], boot=e["boot"])
            self.epochs = [epoch for epoch in self.epochs if epoch[0] < e["seq"]] + [self.begins]
        elif self.span and not self.span.get("flagged"):
            out = e["boot"] != self.span["boot"] or e["seq"] - self.span["first"] >= EPOCH_ENTRIES or e["mono"] - self.span["mono"] >= EPOCH_US
            if out:
                self.span["flagged"] = True
                self.add("key.epoch")

    def place(self, e, signed):
        seq = e["seq"]
        if self.host is None:
            self.host = e["host"]
        elif e["host"] != self.host:
            self.add("chain.host")
        if seq < self.next:
            before = self.seen.get(seq)
            self.add("chain.repeat" if before == e["leaf"] else "fork.seq" if before and signed else "chain.order")
            return False
        if seq > self.next:
            if not signed:
                self.unread += 1
                return False
            self.holes += 1
            if seq - self.next > self.unread:
                self.add("chain.seq")
        elif self.prev is not None and e["prev"] != self.prev:
            self.add("chain.prev")
        self.unread, self.next, self.prev = 0, seq + 1, e["leaf"]
        self.seen[seq] = e["leaf"]
        return True

    def tree(self, e):
        if not self.broken and e["seq"] != self.covered:
            self.broken = self.log_lost = True
        if e["kind"] not in ROUTINE:
            self.told = e["seq"]
        if not self.broken:
            self.leaves.append((0, e["leaf"]))
            self.covered += 1
        for head in self.heads:
            if head["last"] != e["seq"]:
                continue
            if "leaf" in head:
                same = head["leaf"] == e["leaf"]
            elif self.broken:
                continue
            else:
                same = head["root"] == root_of_blocks(self.leaves)
            head["found"] = head.get("found") or same
            if not same:
                self.add("head.fork")

    def entry(self, e):
        kind, body = e["kind"], e["body"]
        self.follow(e)
        self.time(e)
        if kind in ("host_started", "host_stopped"):
            beat = body.get("heartbeat_ms")
            self.stopped = self.last if kind == "host_stopped" else None
            if kind == "host_started":
                self.heartbeat = beat * 1000 if is_int(beat) else None
        whole = self.openings(e)
        known = kind in IN_LOGIN or kind in OF_HOST or kind in OF_SERVICE
        if known and (kind in IN_LOGIN) != (e["sess"] is not None):
            self.add("kind.sess")
        valid = True
        for name, fits in MEMBERS.get(kind, {}).items():
            optional, name = name.endswith("?"), name.rstrip("?")
            if name not in body and optional:
                continue
            if name not in body or not fits(body[name]):
                self.add("member.type")
                valid = False
        if (kind == "host_enrolled") != (e["seq"] == 0):
            self.add("enrol.first")
        if kind == "host_enrolled" and e["seq"] == 0:
            self.enrolled(body)
        if kind in IN_LOGIN or kind == "checkpoint" if self.of_service else kind in OF_SERVICE:
            self.add("kind.place")
        if kind == "host_started":
            for login in self.logins.values():
                login["orphan"] = True
                for c in login["commands"].values():
                    c["stale"] = True
            self.last_start = e["leaf"]
        if kind in ("host_enrolled", "host_started") and body.get("signer") != "own_uid":
            self.same_uid = True
        if kind == "gap" or kind == "host_enrolled" and "former" in body:
            self.add("gap.declared")
        if kind == "host_enrolled":
            self.former = body.get("former")
        if kind == "gap":
            if self.gapped or self.known or self.former not in (None, body.get("former")):
                self.add("gap.place")
            self.gapped = True
        if kind == "checkpoint" and valid and not self.of_service:
            self.checkpoint(e)
        if kind in ("erasure", "redaction", "pruned") and valid:
            self.removed(e, body)
        if kind == "policy_changed":
            self.force = self.policy(e, body) if valid else "unusable"
        if kind == "policy_text" and valid:
            self.policy_text(body, (e.get("opened") or {}).get("text"))
        if e["sess"]:
            self.login(e, valid, whole)

    # The service's policies. Rules are not evaluated here, only their texts are compared with their digests.

    def policy_text(self, b, text):
        begun, self.parts = self.parts, None
        if b["part"] == 0:
            begun = (b["digest"], 0, b["parts"], b"")
        if begun is None or begun[:3] != (b["digest"], b["part"], b["parts"]) or b["part"] >= b["parts"] or b["parts"] > 128:
            return self.add("policy.text")
        if text is None:
            return None
        whole = begun[3] + text
        if len(whole) > 16 * 2**20:
            self.add("policy.text")
        elif b["part"] + 1 < b["parts"]:
            self.parts = (b["digest"], b["part"] + 1, b["parts"], whole)
        elif sha(whole) != digest(b["digest"]):
            self.add("policy.text")

    # What is missing as declared

    def removed(self, e, b):
        if self.admins is not None:
            said = {**{name: b[name] for name in b if name != "sigs"}, "fmt": "cs-removal1", "host": self.host, "kind": e["kind"]}
            text = json.dumps(dict(sorted(said.items())), separators=(",", ":")).encode()
            keys = {signs(b64(sig, None) or b"", NS_REMOVAL, text) for sig in b.get("sigs", [])}
            if len(keys & self.admins) < self.trust.get("admins_needed", 1):
                return self.add("removal.signature")
        held = self.held or 0
        if e["kind"] == "pruned":
            if b["before"] > held:
                return self.add("removal.early")
            if self.pruned is None or self.pruned[0] <= b["before"]:
                self.pruned = (b["before"], digest(b["root"]), digest(b["head"]))
            return
        for entry in b["entries"]:
            seq, of, paths = entry.get("seq"), entry.get("of"), entry.get("paths")
            if not is_int(seq) or not is_digest(of) or not is_texts(paths):
                self.add("removal.entry")
                continue
            leaf = self.seen.get(seq)
            if seq >= e["seq"] or leaf is not None and leaf != digest(of):
                self.add("removal.entry")
            elif seq >= held:
                self.add("removal.early")
            elif seq in self.pending:
                kind, missing = self.pending[seq]
                if not all(erasable(kind, path) for path in paths):
                    self.add("removal.entry")
                else:
                    self.pending[seq] = kind, [m for m in missing if m not in paths and m.split("/")[0] not in paths]
        for login in b.get("recordings", []):
            # What is left out was over before, and is in the tree.
            apart = self.holes or self.bridges
            if login in self.logins or login not in self.known and not apart:
                self.add("removal.entry")
            elif self.ends.get(login, -1) >= held:
                self.add("removal.early")
            else:
                self.erased.add(login)

    def left_out(self):
        """At the end: whether all that is missing may be."""
        for _, missing in self.pending.values():
            for _ in missing:
                self.add("commit.missing")
        for login in self.absent:
            if login not in self.erased:
                self.add("recording.missing")
        used, logins = False, isinstance(self.scope, list)
        for _, end, _, _ in self.bridges:
            if logins or is_int(self.scope) and end <= self.scope:
                continue
            if self.pruned and end <= self.pruned[0]:
                used = True
            else:
                self.add("chain.seq")
        if used:
            ends = [(root, head) for _, end, root, head in self.bridges if end == self.pruned[0]]
            if not ends or ends[0][0] not in (None, self.pruned[1]) or ends[0][1] != self.pruned[2]:
                self.add("removal.entry")
            if self.admins is None:
                self.add("pruned.declared")
        if logins and (not self.scope or set(self.scope) - self.known) or is_int(self.scope) and self.scope >= self.next:
            self.add("part.login")

    # The administrators' documents

    def policy(self, e, b):
        opened = e.get("opened")
        if opened is None:
            self.add("authority.document")
            return "unusable"
        if "authority" not in opened or "signatures" not in opened:
            return "unusable"
        try:
            text, signatures = opened["authority"].decode(), opened["signatures"].decode()
            version, people, owners, rules = document(text)
        except (Bad, UnicodeDecodeError):
            self.add("authority.document")
            return "unusable"
        before, hashed = sum(self.found.values()), sha(text.encode())
        if (b["version"], digest(b["digest"])) != (version, hashed):
            self.add("authority.document")
        if self.admins is not None and len(signers(text, signatures) & self.admins) < self.trust.get("admins_needed", 1):
            self.add("authority.signature")
        if self.last_document and self.last_document != (version, hashed) and version <= self.last_document[0]:
            self.add("authority.version")
        else:
            self.last_document = (version, hashed)
        return (hashed, people, owners, rules) if sum(self.found.values()) == before else "unusable"

    def people(self, e, b, c, said, faults):
        """Whether people have signed as they must; how long that counts, in ms."""
        force, named, number = c["under"]
        if force is None and (named is not None or number is not None) or force == "unusable":
            faults.append("authority.not_in_force")
        elif force is None and self.admins is not None:
            faults.append("authority.missing")
        if force in (None, "unusable"):
            return said["exp_ms"]
        hashed, people, owners, rules = force
        if named is None or digest(named) != hashed or number != people:
            faults.append("authority.not_in_force")
            return said["exp_ms"]
        if rules and said["by"].startswith("whitelist_rule:"):
            # A rule of the document, or said to be one: this verifier knows no rules.
            faults.append("decision.not_shown")
            return said["exp_ms"]
        if ":" in said["by"] or said["by"] == "timeout":
            faults.append("review.rule")
            return said["exp_ms"]
        valid = []
        for review in b.get("reviews", []):
            fault = self.review(e, c, review, hashed, owners)
            if fault:
                faults.append(fault)
            else:
                valid.append(review["statement"])
        names = {review["by"] for review in valid}
        if len(names) < people or said["by"] not in names:
            faults.append("review.missing")
        return min([said["exp_ms"]] + [review["exp_ms"] for review in valid])

    def review(self, e, c, review, hashed, owners):
        said = review.get("statement")
        if list(review) != ["sig", "statement"] or not is_statement(said) or not is_text(review["sig"]):
            return "review.invalid"
        text = json.dumps(said, separators=(",", ":")).encode()
        key = signs(b64(review["sig"], None) or b"", NS_DECISION, text)
        if key not in owners or said["by"] != owners[key] or said["key"] != key_id(key) or digest(said["policy"]) != hashed:
            return "review.invalid"
        if said["host"] != self.host or digest(said["entry"]) != c["leaf"] or said["nonce"] != c["nonce"] \
                or said["decision"] != "approve" or said["exp_ms"] > c["wait"]:
            return "review.entry"
        at_us = max(e["at_us"], self.held_us or e["at_us"])
        if at_us >= self.revoked.get(fingerprint(key), at_us + 1):
            return "review.revoked"
        return None

    def enrolled(self, body):
        key, service, service_key = b64(body.get("key"), 32), body.get("service"), b64(body.get("service_key"), 32)
        self.service = service if is_id(service) else None
        if self.trust is None:
            self.services = [service_key] if service_key else []
            return
        if any(h["host"] == self.host and digest(h["key"]) != key for h in self.trust["hosts"]):
            self.add("trust.host_key")
        trusted = [digest(s["key"]) for s in self.trust["services"] if s["service"] == service]
        if not trusted:
            self.add("trust.service")
        elif trusted[0] != service_key:
            self.add("trust.service_key")
        self.services = trusted[:1]

    def time(self, e):
        last = self.last
        if last and e["boot"] == last[0]:
            falls = e["mono"] < self.highest
            if falls:
                self.add("time.mono_falls")
            self.highest = max(self.highest, e["mono"])
            if e["kind"] == "key_rotated":
                return
            if self.apart:
                self.apart, self.last = False, (e["boot"], max(last[1], e["mono"]), e["at_us"])
                return
            declared = 0
            if e["kind"] == "clock_step" and is_int(e["body"].get("by_ms")):
                declared = e["body"]["by_ms"] * (-1000 if e["body"].get("forward") is False else 1000)
            self.silence(e, last)
            if not falls and abs(e["at_us"] - last[2] - e["mono"] + last[1] - declared) > 500_000:
                self.add("time.jump")
            mono = max(last[1], e["mono"])
        else:
            if e["boot"] in self.boots:
                self.add("time.boot")
            elif last and not self.apart and e["kind"] not in ("host_started", "host_enrolled", "key_rotated"):
                self.add("time.boot")
            self.boots.add(e["boot"])
            mono = self.highest = e["mono"]
        self.last, self.apart = (e["boot"], mono, e["at_us"]), False

    def silence(self, e, last):
        """While the daemon is stopped no entry is due; but only a start ends that."""
        here = self.stopped and self.stopped[0] == e["boot"]
        since = self.stopped if here else last
        if self.stopped and e["kind"] in ("clock_step", "host_started"):
            return
        # What was still being done when it stopped comes right after.
        self.stopped = (e["boot"], e["mono"]) if here else None
        if self.heartbeat is not None and e["mono"] - since[1] > 2 * self.heartbeat + 5_000_000:
            self.add("time.silence")

    def openings(self, e):
        try:
            missing, segments = openings(e)
        except Bad:
            self.add("commit.opening")
            return True
        if missing and all(erasable(e["kind"], path) for path in missing):
            self.pending[e["seq"]] = e["kind"], missing
        else:
            for _ in missing:
                self.add("commit.missing")
        return all([self.is_whole(segments.get(path), e["body"].get(length)) for path, length in (("cmd", "cmd_bytes"), ("stdin", "stdin_bytes"))])

    def is_whole(self, segments, total):
        if not isinstance(segments, list) or not is_int(total):
            return True
        shown = sum(len(s) for s in segments if s is not None)
        if shown > total:
            self.add("commit.length")
        return None in segments or shown == total

    # Checkpoints

    def checkpoint(self, e):
        b, log = e["body"], e["body"]["log"]
        proofs = [log.get("proof"), log.get("consistency")]
        if not (is_int(log.get("size")) and is_digest(log.get("root")) and is_sig(log.get("sig")) and is_int(log.get("index"))
                and all(is_digests(p) and len(p) <= 126 for p in proofs) and re.fullmatch(r"[0-9a-f]{16}", b["note_key"])):
            return self.add("member.type")
        if self.unproven == b["note_key"]:
            return
        host_key = self.key_at(b["size"] - 1) if self.host_key and b["size"] else None
        before = sum(self.found.values())
        text = f"countersign/host/{self.host}\n{b['size']}\n{base64.b64encode(digest(b['root'])).decode()}\n".encode()
        if not host_key or b["note_key"] != key_id(host_key) or not ed25519(host_key, text, b64(b["note_sig"], 64)):
            self.add("checkpoint.signature")
        if self.services:
            self.cosigned(b, log, text, self.services[0])
        if self.service not in (None, b["service"]):
            self.add("checkpoint.signature")
        if b["size"] > e["seq"] or b["size"] < (self.held or 0) or b["size"] == 0:
            return self.add("checkpoint.size")
        if self.broken:
            return
        if b["size"] < sum(1 << level for level, _ in self.leaves[:-65_536]):
            return self.add("checkpoint.size")
        if self.root_at(b["size"]) != digest(b["root"]):
            return self.add("checkpoint.root")
        if sum(self.found.values()) == before:
            self.held, self.held_us = b["size"], max(self.held_us or 0, b["time"] * 10**6)

    def cosigned(self, b, log, text, key):
        size, root = log["size"], digest(log["root"])
        of_log = f"countersign/service/{b['service']}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
        message = f"cosignature/v1\ntime {b['time']}\n".encode() + text
        proof, steps = [digest(p) for p in log["proof"]], [digest(p) for p in log["consistency"]]
        good = ed25519(key, message, b64(b["cosig"], 64)) and ed25519(key, of_log, b64(log["sig"], 64)) \
            and inclusion(sha(b"\0", text), log["index"], size, proof, root)
        if not good:
            self.add("checkpoint.signature")
        elif not self.log_lost:
            old, old_root = self.log or (0, sha(b""))
            if not consistency(old, old_root, size, root, steps):
                self.add("fork.service")
        self.log, self.log_lost = (size, root), False

    # Logins and commands

    def login(self, e, valid, whole):
        ident, n, prev = e["sess"]
        opens = e["kind"] == "session_opened"
        if ident in self.logins:
            if opens:
                self.add("sess.order")
        elif ident in self.known:
            return self.add("sess.order")
        else:
            if ident in self.erased:
                self.add("removal.entry")
            self.known.add(ident)
            new = dict(n=0, prev=ZERO, holes=self.holes, gap=False, orphan=False, commands={}, index=0, length=0, hashed=0, lost=False, missing=False)
            self.logins[ident] = new
            if not opens and self.holes and n > 0:
                self.add("sess.gap")
                new.update(gap=True, n=n, prev=prev, lost=True)
            elif not opens:
                self.add("sess.order")
        login = self.logins[ident]
        if n > login["n"] and self.holes > login["holes"]:
            self.add("sess.gap")
            login.update(gap=True, lost=True)
        elif n != login["n"] or prev != login["prev"]:
            self.flaw(login, "sess.chain")
        login.update(n=n + 1, prev=e["leaf"], holes=self.holes)
        if login["orphan"] and e["kind"] == "command_submitted":
            self.flaw(login, "sess.after_restart")
        if opens and valid:
            anchor = e["body"].get("resume")
            login.update(anchor=anchor and digest(anchor), boot=e["boot"], lasts=e["body"]["kind"] == "interactive")
        step = {"command_submitted": self.submitted, "decided": self.decided, "exec_started": self.started,
                "exec_finished": self.finished, "recording_chunk": self.chunk, "session_closed": self.closed, "session_resumed": self.resumed}.get(e["kind"])
        if step and valid:
            step(e, e["body"], login, whole)
        if e["kind"] == "session_closed":
            del self.logins[ident]
            self.ends[ident] = e["seq"]

    def flaw(self, login, check):
        """What does not fit follows from missing entries, where there are such."""
        self.add("sess.gap" if login["gap"] and CODES[check] == 40 else check)

    def resumed(self, e, b, login, _):
        """The login's own front goes on after the daemon was lost."""
        stages = [(ident, c["stage"]) for ident, c in login["commands"].items()]
        started, running = [ident for ident, stage in stages if stage == "started"], b.get("running")
        good = login["orphan"] and digest(b["of"]) == self.last_start and login.get("lasts") and login["boot"] == e["boot"] \
            and leads_to(digest(b["key"]), login.get("anchor")) and "waiting" not in [stage for _, stage in stages] \
            and started == ([running] if running else [])
        if not good:
            self.flaw(login, "sess.gap" if self.holes else "sess.resumed")
        login.update(anchor=digest(b["key"]), orphan=False)

    def submitted(self, e, b, login, whole):
        login["commands"][b["id"]] = dict(leaf=e["leaf"], nonce=b["nonce"], wait=b["wait_ms"], mono=e["mono"], boot=e["boot"],
                                          whole=whole and "beyond" not in b.get("hidden_kinds", []) + b.get("stdin_hidden_kinds", []), stale=False, words=b.get("words"), stage="waiting", late=False,
                                          person="stdin" in b or bool(b.get("flags")),
                                          under=(self.force, b.get("authority"), b.get("people")))
        if b["id"] in self.submissions:
            self.flaw(login, "submission.repeat")
        self.submissions.add(b["id"])

    def decided(self, e, b, login, _):
        runs = b["outcome"] in LETS_RUN
        self.by_rule += b["outcome"] in ("whitelisted", "blocked") and is_text(b.get("by"))
        c = login["commands"].get(b["id"])
        if runs and (login["orphan"] or c and c["stale"]):
            self.flaw(login, "sess.after_restart")
        if c is None:
            return self.flaw(login, "decided.of")
        if c["stage"] == "started" and not c["decided"]:
            c["decided"] = True
            return self.flaw(login, "run.without_decision")
        if c["stage"] != "waiting":
            return self.flaw(login, "decided.of")
        if digest(b["of"]) != c["leaf"]:
            self.flaw(login, "decided.of")
        faults, deadline = [], None
        if runs and not c["whole"]:
            faults.append("decision.cut_command")
        if b["outcome"] == "whitelisted" and c["words"] != "known":
            faults.append("decision.words")
        said, sig = b.get("statement"), b.get("sig")
        if said is None or sig is None:
            if runs:
                faults.append("decision.missing")
            elif (said is None) != (sig is None) or b["outcome"] == "denied" or b.get("by", "timeout").split(":")[0] not in ("timeout", "deny_rule"):
                faults.append("refusal.statement")
        else:
            deadline = self.statement(e, b, c, said, sig, runs, faults)
        for check in faults:
            self.flaw(login, check if runs else "refusal.statement")
        c.update(stage="let_run" if runs else "refused", decided_leaf=e["leaf"], deadline=deadline)
        c["late"] = runs and deadline is not None and not (e["boot"] == c["boot"] and e["mono"] <= deadline)

    def statement(self, e, b, c, said, sig, runs, faults):
        if not is_statement(said):
            faults.append("decision.signature")
            return None
        keys = [key for key in self.services if key_id(key) == said["key"]]
        if not keys:
            faults.append("decision.key_unknown")
        else:
            text = json.dumps(said, separators=(",", ":"))
            if not sshsig(NS_DECISION, keys[0], text.encode(), b64(sig, 64)):
                faults.append("decision.signature")
        faults += ["decision.host"] * (said["host"] != self.host) + ["decision.entry"] * (digest(said["entry"]) != c["leaf"])
        faults += ["decision.nonce"] * (said["nonce"] != c["nonce"])
        word, approve = said["by"].split(":")[0], said["decision"] == "approve"
        if ":" in said["by"]:
            outcome = {"deny_rule": None if approve else "blocked"}.get(word, "whitelisted" if approve else None)
        elif word == "timeout":
            outcome = None if approve else "timed_out"
        else:
            outcome = "approved" if approve else "denied"
        unused = b["outcome"] == "timed_out" and outcome in LETS_RUN
        faults += ["decision.outcome"] * (outcome is None or outcome != b["outcome"] and not unused)
        faults += ["decision.outcome"] * (b.get("by") != said["by"])
        if runs and c["person"] and (":" in said["by"] or said["by"] == "timeout"):
            faults.append("decision.needs_person")
        if runs and said["exp_ms"] > c["wait"]:
            faults.append("decision.expiry")
        return c["mono"] + 1000 * (self.people(e, b, c, said, faults) if runs else said["exp_ms"])

    def started(self, e, b, login, _):
        c = login["commands"].get(b["id"])
        if login["orphan"] or c and c["stale"]:
            self.flaw(login, "sess.after_restart")
        if c is None:
            return self.flaw(login, "run.without_decision")
        if c["stage"] in ("started", "finished"):
            return self.flaw(login, "run.twice")
        late = False
        if c["stage"] == "let_run":
            if digest(b["of"]) != c["decided_leaf"]:
                self.flaw(login, "run.without_decision")
            in_time = c["deadline"] is None or e["boot"] == c["boot"] and e["mono"] <= c["deadline"]
            late = c["late"] or not in_time
        else:
            self.flaw(login, "run.without_decision")
        c.update(decided=c["stage"] != "waiting", stage="started", exec=e["leaf"], late=late)

    def finished(self, e, b, login, _):
        c = login["commands"].get(b["id"])
        if c is None or c["stage"] != "started":
            return self.flaw(login, "finish.of")
        if digest(b["of"]) != c["exec"]:
            self.flaw(login, "finish.of")
        never = b["end"] == "not_released" and "code" not in b and "signal" not in b
        if c["late"] and not never:
            self.flaw(login, "decision.late")
        c["stage"] = "finished"

    def unfinished(self, login):
        for c in login["commands"].values():
            self.add("submission.undecided") if c["stage"] == "waiting" else None
            self.add("run.unfinished") if c["stage"] == "started" else None
            self.add("decision.late") if c["stage"] in ("started", "let_run") and c["late"] else None

    # Recordings

    def cast(self, ident):
        path = os.path.join(self.recordings, ident + ".cast")
        return path if os.path.isfile(path) and not os.path.islink(path) else None

    def chunk(self, e, b, login, _):
        end = b["offset"] + b["length"]
        again = b["offset"] < login["hashed"]
        if again or not login["lost"] and (b["index"] != login["index"] or b["offset"] != login["length"]):
            self.add("recording.chunks")
        login.update(index=b["index"] + 1, length=end)
        path = self.cast(e["sess"][0])
        if not path:
            self.absent[e["sess"][0]] = True
        elif end > os.path.getsize(path):
            self.add("recording.length")
        elif not again:
            login["hashed"] = end
            with open(path, "rb") as f:
                f.seek(b["offset"])
                if sha(f.read(b["length"])) != digest(b["digest"]):
                    self.add("recording.digest")

    def closed(self, e, b, login, _):
        if login["orphan"] and b["why"] not in ("recovered", "bad_recording"):
            self.flaw(login, "sess.after_restart")
        if b["why"] == "recovered":
            self.flaw(login, "sess.recovered")
        if b["why"] == "bad_recording":
            self.add("recording.bad")
        self.unfinished(login)
        said, path = b["recording_bytes"], self.cast(e["sess"][0])
        if not login["lost"] and said != login["length"]:
            self.add("recording.chunks")
        if path is None and (said or login["length"]):
            self.absent[e["sess"][0]] = True
        elif path is not None and os.path.getsize(path) != said:
            self.add("recording.length")

    def finish(self):
        if not self.entries:
            self.left_out()
            return self.add("source.empty")
        for login in self.logins.values():
            self.add("sess.open")
            self.unfinished(login)
        if os.path.isdir(self.recordings):
            for name in os.listdir(self.recordings):
                if name.endswith(".cast") and ID.match(name[:-5]) and name[:-5] not in self.known:
                    self.add("recording.extra")
        self.left_out()
        for head in self.heads:
            within = any(start <= head["last"] < end for start, end, _, _ in self.bridges) \
                or isinstance(self.scope, list) and head["last"] >= self.next
            if head["host"] != self.host:
                self.add("head.other_host")
            elif within and not head.get("found"):
                self.add("head.not_covered")
            elif head["last"] >= self.next:
                self.add("head.missing")
            elif not head.get("found") and "head.fork" not in self.found:
                self.add("head.missing")
        covered = self.held is not None and (self.told is None or self.told < self.held)
        if not covered or self.same_uid:
            self.add("assurance.self_attested")


def load_head(path):
    with open(path, "rb") as f:
        raw = f.read()
    if raw.startswith(b"{"):
        r = Reader(raw.decode("ascii").removesuffix("\n"))
        head = r.value(1)
        if r.at != len(r.text) or list(head) != ["fmt", "host", "leaf", "seq"] or head["fmt"] != "cs-head1":
            raise Bad("head")
        return dict(host=head["host"], leaf=digest(head["leaf"]), last=head["seq"])
    origin, size, root = raw.decode().split("\n")[:3]
    return dict(host=origin.removeprefix("countersign/host/"), root=base64.b64decode(root), last=int(size) - 1)


def verify(place, trust, heads):
    run = Run(trust, [dict(head) for head in heads])
    root = None
    for up, name in ((place, "host"), (os.path.join(place, "host"), "journal"), (place, "journal")):
        path = os.path.join(up, name)
        if os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path)):
            run.add("source.damaged")
            return run
        if name == "journal" and root is None and os.path.isdir(path):
            root = up
    if root is None:
        run.add("source.unknown")
        return run
    if root != place and os.path.lexists(os.path.join(place, "journal")):
        run.add("source.damaged")
    run.recordings = os.path.join(root, "recordings")
    if os.path.lexists(run.recordings) and (os.path.islink(run.recordings) or not os.path.isdir(run.recordings)):
        run.add("source.damaged")
    journal = os.path.join(root, "journal")
    try:
        run.gaps, run.scope = read_gaps(os.path.join(journal, "proof.json")), read_scope(os.path.join(root, "bundle.json"))
    except Bad:
        run.add("source.damaged")
        return run
    names = sorted(n for n in os.listdir(journal) if re.fullmatch(r"[0-9]{16}\.jsonl", n))
    run.journal([os.path.join(journal, n) for n in ["kept"] * os.path.lexists(os.path.join(journal, "kept")) + names])
    run.finish()
    return run


def main(args):
    global own_ed25519
    trust, heads, places = None, [], []
    while args:
        word = args.pop(0)
        if word == "--trust":
            with open(args.pop(0)) as f:
                trust = json.load(f)
        elif word == "--known-head":
            heads.append(load_head(args.pop(0)))
        elif word == "--own-ed25519":
            own_ed25519 = True
        else:
            places.append(word)
    for place in places:
        run = verify(place, trust, heads)
        print(run.exit(), ",".join(sorted(run.found)) or "-", place)
        if run.by_rule:
            print(f"{place}: {run.by_rule} decisions by rule: not re-evaluated, this verifier knows no rules", file=sys.stderr)
    return run.exit() if len(places) == 1 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
