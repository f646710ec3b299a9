-- Several calls of one script at once: ARGV[5] is how many, and behind it stand, for each, how many
-- arguments it has of its own, and these. What they share is read and written once.
local saved = false

-- save notes that the figures have changed; they are written when all is done.
local function save() saved = true end

-- many runs each call, with its own arguments behind the four that all have. One that fails leaves the
-- others alone.
local function many(one)
  local answers, at = {}, 6
  for i = 1, tonumber(ARGV[5]) do
    local own = { ARGV[1], ARGV[2], ARGV[3], ARGV[4] }
    local n = tonumber(ARGV[at])
    for k = 1, n do own[4 + k] = ARGV[at + k] end
    at = at + n + 1
    local ok, answer = pcall(one, own)
    answers[i] = ok and answer or { 'error', type(answer) == 'table' and answer.err or tostring(answer) }
  end
  if saved then
    saveshares()
    write()
    flush()
  end
  return answers
end
