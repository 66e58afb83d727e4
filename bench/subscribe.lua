-- wrk: POST /user-subscription/subscribe for users u<first>, u<first + 1>, …: each once. Arguments: key, the first number.
local next_user, head

function init(args)
	next_user = tonumber(args[2])
	head = "POST /user-subscription/subscribe HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. args[1]
		.. "\r\nContent-Type: application/json\r\nContent-Length: "
end

local body = '{"user_id":"u%d","package_slug":"standard","billing_cycle":"monthly"}'

function request()
	local text = body:format(next_user)
	next_user = next_user + 1
	return head .. #text .. "\r\n\r\n" .. text
end

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		'JSON{"done":%d,"us":%d,"errors":%d,"p50_us":%d,"p99_us":%d}\n', summary.requests, summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
