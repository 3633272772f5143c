"""The scripts of others do their work under a policy without `eval`, workers, inline scripts and other servers."""

import base64
import gzip
import hashlib
from collections.abc import Callable
from urllib.parse import urljoin

import httpx
import nibabel as nib
import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from server.web.scripts import third_party
from tests.browser.conftest import OpenWindow
from tests.server.conftest import Person

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"


@pytest.fixture
def page_with(window: OpenWindow, site: str) -> Callable[[str, str], Page]:
    """A page of this server's with a script of others and a body."""

    def opened(name: str, body: str) -> Page:
        script = third_party(name)
        assert script is not None, "`make third-party` fetches it"
        source = f'<script src="{script.path}" integrity="{script.integrity}"></script>'
        html = f'<!doctype html><title>A page</title><link rel="icon" href="data:,">{body}{source}'

        def answer(route: Route) -> None:
            headers = {"Content-Security-Policy": POLICY}
            route.fulfill(body=html, content_type="text/html", headers=headers)

        page = window(width=768)
        page.route(f"{site}/page-of-this-test", answer)
        page.goto("/page-of-this-test")
        return page

    return opened


def test_an_upload_goes_through_in_pieces(
    page_with: Callable[[str, str], Page], captain: Person, slug: str, site: str
) -> None:
    data = bytes(range(256)) * 1200
    page = page_with("tus-js-client", "<main><h1>Upload</h1></main>")
    location = page.evaluate(
        """({ data, slug, token, sha256 }) => new Promise((resolve, reject) => {
            const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
            const upload = new tus.Upload(new Blob([bytes]), {
                endpoint: `/api/v1/challenges/${slug}/uploads`,
                headers: { Authorization: `Bearer ${token}` },
                metadata: { sha256 },
                chunkSize: 100_000,
                retryDelays: null,
                onError: reject,
                onSuccess: () => resolve(upload.url),
            });
            upload.start();
        })""",
        {
            "data": base64.b64encode(data).decode(),
            "slug": slug,
            "token": captain.token,
            "sha256": hashlib.sha256(data).hexdigest(),
        },
    )
    headers = {"Authorization": f"Bearer {captain.token}", "Tus-Resumable": "1.0.0"}
    answer = httpx.head(urljoin(site, location), headers=headers)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (200, str(len(data)))


def test_a_volume_with_its_label_is_drawn(page_with: Callable[[str, str], Page]) -> None:
    volume = np.zeros((24, 24, 24), np.float32)
    volume[6:18, 6:18, 6:18] = 200
    label = (volume > 0).astype(np.uint8)
    files = [gzip.compress(nib.Nifti1Image(one, np.eye(4)).to_bytes()) for one in (volume, label)]
    page = page_with("@niivue/niivue", '<canvas id="view" width="600" height="300"></canvas>')
    bright = page.evaluate(
        """async (files) => {
            const viewer = new niivue.Niivue({ logLevel: "error", isResizeCanvas: false });
            await viewer.attachTo("view");
            const colours = ["gray", "red"];
            for (const [number, file] of files.entries()) {
                const bytes = Uint8Array.from(atob(file), (one) => one.charCodeAt(0));
                const name = `volume-${number}.nii.gz`;
                const image = await niivue.NVImage.new(bytes.buffer, name, colours[number], number ? 0.5 : 1);
                viewer.addVolume(image);
            }
            viewer.setSliceType(viewer.sliceTypeMultiplanar);
            viewer.drawScene();
            const { gl } = viewer, [width, height] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
            const pixels = new Uint8Array(width * height * 4);
            gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
            let bright = 0;
            for (let at = 0; at < pixels.length; at += 4) bright += pixels[at] > 150 && pixels[at + 1] > 50;
            return bright / (width * height);
        }""",
        [base64.b64encode(file).decode() for file in files],
    )
    assert bright > 0.02
    expect(page.locator("canvas")).to_be_visible()
