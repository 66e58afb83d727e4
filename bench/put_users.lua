-- wrk: PUT /user-subscription/users/{id} with random ids; the key is the script's first argument.
-- What is counted comes out as one line of JSON.
local threads = 0

function setup(thread)
	thread:set("number", threads)
	threads = threads + 1
end

function init(args)
	math.randomseed(os.time() * 1000 + number + tonumber(args[2] or "0"))
	wrk.headers["Authorization"] = "Bearer " .. args[1]
	wrk.headers["Content-Type"] = "application/json"
end

local body = '{"email":"%s@example.com","first_name":"Ada","last_name":"Lovelace","company":"Analytical Engines"}'

function request()
	local id = string.format("u%08x%08x", math.random(0, 4294967295), math.random(0, 4294967295))
	return wrk.format("PUT", "/user-subscription/users/" .. id, nil, body:format(id))
end

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		'JSON{"done":%d,"us":%d,"errors":%d,"p50_us":%d,"p99_us":%d}\n', summary.requests, summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
