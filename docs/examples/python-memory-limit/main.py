kept = []
while True:
    kept.append(bytes([len(kept) % 255 + 1]) * 1_000_000)
