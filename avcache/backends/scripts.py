"""
What the server does in one step: the few scripts, with what they are given and what they answer.

KEYS[1] is `!v`, the version; KEYS[2] is `!b`, the sorted set of barriers, scope → version. Two of its members are no
scopes: `.` says that the table is whole (a server may have evicted it), `-` that rows were put in below the version
that others have seen, so that they fetch everything anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

__all__ = [
    "APPEND",
    "FETCH_ALL",
    "GIVE_BACK",
    "LOOK",
    "PUT",
    "RAISE",
    "RELEASE",
    "RENEW",
    "RESTORE",
    "STORE",
    "SURVEY",
    "SWAP",
    "SWEEP",
    "SYNCHRONISE",
    "TAKE",
    "WHOLE",
    "WRITE",
    "Script",
]

WHOLE: Final = b"."
FETCH_ALL: Final = b"-"

_ALLOW_OOM = "#!lua flags=allow-oom\n"
"""A server out of memory must still invalidate. Servers before Redis 7 do not know this line, and need not."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script, with the digest by which a server knows it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", hashlib.sha1(self.text.encode()).hexdigest())  # noqa: S324 - Redis' own choice

    def plain(self) -> Script:
        """The same for a server that knows no flags."""
        return Script(self.text.removeprefix(_ALLOW_OOM))


_VERSION = """
local version = tonumber(redis.call('GET', KEYS[1]) or '0')
local time = redis.call('TIME')
local next = math.max(version + 1, time[1] * 1000000 + time[2])
local function text(number) return string.format('%.0f', number) end
local function has(scope) return tonumber(redis.call('ZSCORE', KEYS[2], scope) or '0') end
local is_whole = has('.') > 0
"""

_CLOSE = """
-- What a table that was lost had to say, nobody knows: nothing older than now can be trusted.
if not is_whole then redis.call('ZADD', KEYS[2], text(next), '*') end
redis.call('ZADD', KEYS[2], text(next), '.')
redis.call('SET', KEYS[1], text(next))
"""

RAISE: Final = Script(
    _ALLOW_OOM
    + _VERSION
    + """
local before = {}
for i = 3, #ARGV do
    before[#before + 1] = text(has(ARGV[i]))
    redis.call('ZADD', KEYS[2], text(next), ARGV[i])
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(next - tonumber(ARGV[1])))
local most = tonumber(ARGV[2])
if redis.call('ZCARD', KEYS[2]) > most then
    local last = redis.call('ZRANGE', KEYS[2], math.floor(most / 10), math.floor(most / 10))
    local height = has(last[1])
    redis.call('ZREMRANGEBYRANK', KEYS[2], 0, math.floor(most / 10))
    if height > has('*') then redis.call('ZADD', KEYS[2], text(height), '*') end
end
"""
    + _CLOSE
    + "return {text(next), text(version), before}"
)
"""ARGV: µs that rows are kept, most rows, scopes. Answers the new version, the one before, and what each scope had."""

SYNCHRONISE: Final = Script(
    _ALLOW_OOM
    + _VERSION
    + """
local changed = not is_whole
next = math.max(next, tonumber(ARGV[1]) + 1)
local rows = tonumber(ARGV[2])
for i = 3, 2 + 2 * rows, 2 do
    if tonumber(ARGV[i + 1]) > has(ARGV[i]) then
        redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
        changed = true
    end
end
for i = 3 + 2 * rows, #ARGV do
    redis.call('ZADD', KEYS[2], text(next), ARGV[i])
end
if changed then redis.call('ZADD', KEYS[2], text(next), '-') end
"""
    + _CLOSE
    + "return {text(next), redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')}"
)
"""ARGV: the version known, a number of rows, those rows (scope, version), scopes to raise. Answers version, table."""

RESTORE: Final = Script(
    _ALLOW_OOM
    + _VERSION
    + """
local restored = 0
for i = 1, #ARGV, 3 do
    if has(ARGV[i]) == tonumber(ARGV[i + 1]) then
        if tonumber(ARGV[i + 2]) > 0 then
            redis.call('ZADD', KEYS[2], ARGV[i + 2], ARGV[i])
        else
            redis.call('ZREM', KEYS[2], ARGV[i])
        end
        restored = restored + 1
    end
end
if restored > 0 then redis.call('ZADD', KEYS[2], text(next), '-') end
"""
    + _CLOSE
    + "return restored"
)
"""ARGV: (scope, its version, the one before) for each barrier. Answers how many were taken back."""

PUT: Final = Script(
    """
local version = redis.call('GET', KEYS[1]) or ''
if ARGV[1] ~= '' and ARGV[1] ~= version then return version end
local entries = (#KEYS - 1) / 2
-- Entries first: once a script has written, a server out of memory lets it go on.
for i = 1, entries do
    redis.call('SET', KEYS[1 + i], ARGV[2 * i], 'PX', ARGV[2 * i + 1])
end
redis.call('DEL', unpack(KEYS, 2 + entries))
return version
"""
)
"""KEYS: `!v`, entries, their leases. ARGV: the version expected ('': any), then entry and its ms by turns."""

_PLACE = """
local held = redis.call('GET', KEYS[#KEYS]) or ''
local at = string.find('<' .. held .. '<', '<' .. ARGV[1] .. '<', 1, true)
if not at then return 0 end
local newer, older = at > 1 and string.sub(held, 1, at - 2) or '', string.sub(held, at + #ARGV[1] + 1)
"""
"""
A lease holds the token of its holder and, behind `<`, those of the loads it was taken over from: these may be
kept until a newer one is.
"""

STORE: Final = Script(
    _PLACE
    + """
if ARGV[2] == '' then
    redis.call('UNLINK', KEYS[1])
else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
if newer ~= '' then
    redis.call('SET', KEYS[2], newer, 'PX', math.max(1, redis.call('PTTL', KEYS[2])))
    return 1
end
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[4], '')
return 1
"""
)
"""KEYS: entry, lease. ARGV: token, entry ('': none), its ms, channel. Answers whether the lease still held."""

RELEASE: Final = Script(
    _ALLOW_OOM
    + _PLACE
    + """
local left = newer .. (newer ~= '' and older ~= '' and '<' or '') .. older
if left ~= '' then
    redis.call('SET', KEYS[1], left, 'PX', newer ~= '' and math.max(1, redis.call('PTTL', KEYS[1])) or ARGV[3])
    return 1
end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], '')
return 1
"""
)
"""KEYS: lease. ARGV: token, channel, ms for whom it was taken over from."""

RENEW: Final = Script(
    _ALLOW_OOM
    + """
local renewed = 0
for i = 1, #KEYS do
    local held = '<' .. (redis.call('GET', KEYS[i]) or '') .. '<'
    if string.find(held, '<' .. ARGV[i + 1] .. '<', 1, true) then
        renewed = renewed + redis.call('PEXPIRE', KEYS[i], ARGV[1])
    end
end
return renewed
"""
)
"""KEYS: leases. ARGV: ms, then a token for each."""

SWEEP: Final = Script(
    _ALLOW_OOM
    + """
local swept, entries = 0, #KEYS
if ARGV[3] then entries = entries - 1 end
for i = 1, entries do
    if redis.call('TYPE', KEYS[i]).ok == 'string' then
        local head = redis.call('GETRANGE', KEYS[i], 0, 11)
        if #head == 12 and string.sub(head, 1, 4) == ARGV[1] and string.sub(head, 5) < ARGV[2] then
            swept = swept + redis.call('UNLINK', KEYS[i])
        end
    end
end
if not ARGV[3] then return swept end
if swept > 0 then
    redis.call('INCRBY', KEYS[#KEYS], swept)
    redis.call('PEXPIRE', KEYS[#KEYS], ARGV[3])
end
return math.max(swept, tonumber(redis.call('GET', KEYS[#KEYS]) or '0') - tonumber(ARGV[4]))
"""
)
"""
KEYS: entries, and the tally if there is one. ARGV: what an entry begins with, the version below which it goes, as it
stands in an entry, and for a tally its ms and how much of it is known. Answers how many went, of a tally how much more
than that it has by now; if the server has evicted it, it begins anew.
"""

_LOOK = """
local call, pcall = redis.call, redis.pcall
local told, at = {}, 0
"""

_TOLD = """
    local size = pcall('STRLEN', key)
    local is_text = type(size) == 'number'
    told[at + 2] = call('PTTL', key)
    told[at + 3] = is_text and size or 0
    told[at + 4] = is_text and call('GETRANGE', key, 0, ARGV[1]) or ''
    at = at + 4
"""

LOOK: Final = Script(
    _LOOK
    + """
for i = 1, #KEYS do
    local key = KEYS[i]
    told[at + 1] = 0
"""
    + _TOLD
    + """
end
return told
"""
)
"""KEYS: entries. ARGV: the last byte wanted. Answers (0, ms left, size, first bytes) for each; -2 ms: not there."""

SURVEY: Final = Script(
    _LOOK
    + """
local prefix = ARGV[4]
local found = call('SCAN', ARGV[2], 'COUNT', ARGV[3])
local length = #prefix
for _, key in ipairs(found[2]) do
    -- Compared, not matched: no letter of a prefix may mean anything else than itself.
    if string.sub(key, 1, length) == prefix and string.byte(key, length + 1) ~= 33 then
        told[at + 1] = string.sub(key, length + 1)
"""
    + _TOLD
    + """
    end
end
return {found[1], told}
"""
)
"""
ARGV: the last byte wanted, cursor, how many keys, prefix. Answers the next cursor, and as LOOK with the names; of our
own records, which begin with an exclamation mark (33), nothing.
"""

WRITE: Final = Script(
    _ALLOW_OOM
    + """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
)
"""KEYS: record. ARGV: what it says, its ms. A server out of memory takes it: it is what frees some that needs this."""

APPEND: Final = Script(
    _ALLOW_OOM
    + """
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
)
"""KEYS: log. ARGV: a row, how many are kept, ms."""

SWAP: Final = Script(
    _ALLOW_OOM
    + """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
)
"""KEYS: record. ARGV: what has to be there ('': nothing), what takes its place, its ms. Answers whether it was."""

TAKE: Final = Script(
    _ALLOW_OOM
    + """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
)
"""KEYS: lease. ARGV: token, ms. Answers whether the token holds the lease now."""

GIVE_BACK: Final = Script(
    _ALLOW_OOM
    + """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
)
"""KEYS: lease. ARGV: token."""
