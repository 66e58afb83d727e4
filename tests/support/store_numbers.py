"""What /metrics tells of a store."""

PREFIX = "tools_dashboard_store_"


def store_numbers(client, store):
    """{"name": number}, and {"name class": number} of failures."""
    numbers = {}
    for line in client.get("/metrics").text.splitlines():
        if not line.startswith(PREFIX) or f'{{store="{store}"' not in line:
            continue
        name, _, reason = line.split("{")[0][len(PREFIX):], *line.partition('class="')[1:]
        numbers[name + (" " + reason.split('"')[0] if reason else "")] = float(line.split()[-1])
    return numbers
