-- wrk: GET of PATH with a random number in the place of %d. Arguments: key, path, how many, a seed.
local threads = 0

function setup(thread)
	thread:set("number", threads)
	threads = threads + 1
end

local path, count, head

function init(args)
	path, count = args[2], tonumber(args[3])
	math.randomseed(os.time() * 1000 + number + tonumber(args[4] or "0"))
	head = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. args[1] .. "\r\n\r\n"
end

function request()
	return "GET " .. path:format(math.random(1, count)) .. head
end

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		'JSON{"done":%d,"us":%d,"errors":%d,"p50_us":%d,"p99_us":%d}\n', summary.requests, summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
