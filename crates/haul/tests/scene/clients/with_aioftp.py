"""aioftp. Arguments: get|put HOST PORT USER PASSWORD LOCAL REMOTE FROM STOP, as those of with_ftplib.py."""

import asyncio
import sys

import aioftp

verb, host, port, user, password, local, remote, start, stop = sys.argv[1:]
start, stop = int(start), int(stop)


async def main():
    async with aioftp.Client.context(host, int(port), user, password) as client:
        gone = 0
        if verb == "put":
            with open(local, "rb") as file:
                file.seek(start)
                async with client.upload_stream(remote, offset=start) as stream:
                    while data := file.read(65536):
                        await stream.write(data)
                        gone += len(data)
                        if stop and gone >= stop:
                            await asyncio.sleep(1e6)
        else:
            with open(local, "r+b" if start else "wb") as file:
                file.seek(start)
                async with client.download_stream(remote, offset=start) as stream:
                    async for data in stream.iter_by_block():
                        file.write(data)
                        file.flush()
                        gone += len(data)
                        if stop and gone >= stop:
                            await asyncio.sleep(1e6)


asyncio.run(main())
